import gc
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from celery import Celery, bootsteps
from celery.signals import (
    after_task_publish,
    beat_init,
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
)

from core import heartbeat
from core.log_fields import log_fields
from orchestrator.broker import Broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 0.5


class ImpatientProducer(Celery):
    """A worker may wait long for messages; a producer must not, because it holds up a request."""

    amqp_cls = Broker

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        options = {"socket_timeout": SEND_TIMEOUT_SECONDS}
        options |= kwargs.pop("transport_options", None) or {}
        return super().connection_for_write(url, transport_options=options, **kwargs)


app = ImpatientProducer("paraph")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would open a new database connection for every job, which costs more than most jobs do.
app.conf.CELERY_DB_REUSE_MAX = 1_000_000_000
app.autodiscover_tasks()

from ops.logging import celery_logging  # noqa: E402, F401 - connects its signals


class HandBack(bootsteps.StartStopStep):
    """Celery sends `worker_shutdown` only where every job could finish; here, where not.

    It requires the pool, so it stops first: tasks are handed back before the pool goes. A pool of
    threads waits for all of them: their work is cancelled before.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        from agents.tasks import start_worker_with_threads

        start_worker_with_threads(worker)

    def stop(self, worker: Any) -> None:
        from agents.tasks import stop_worker_with_threads

        stop_worker_with_threads()

    def terminate(self, worker: Any) -> None:
        from agents.tasks import hand_back_unfinished, stop_worker_with_threads

        stop_worker_with_threads()
        hand_back_unfinished()


app.steps["worker"].add(HandBack)


class SignsOfLife(bootsteps.StartStopStep):
    """The loop that takes jobs beats. Where it runs them itself (`--pool=solo`), a job that hangs
    silences it; each statement of a job that waits beats, too."""

    def start(self, worker: Any) -> None:
        from core.database import use_connection_outside_pool

        # Where jobs are threads, it reports the worker: while the database is away that must not
        # wait as long as a job may for a connection of the pool.
        use_connection_outside_pool()
        expect_signs_of_life()


app.steps["worker"].add(SignsOfLife)


@beat_init.connect
def expect_signs_of_life(*_: Any, **kwargs: Any) -> None:
    from core.database import LONG_SILENCE_SECONDS, limit_silence

    heartbeat.begin()
    limit_silence(LONG_SILENCE_SECONDS)


class FinalCheckpoint(bootsteps.StartStopStep):
    """A worker of the engine signs the log when it stops."""

    def stop(self, worker: Any) -> None:
        from audit.tasks import make_final_checkpoint

        if "engine" in worker.app.amqp.queues.consume_from:
            make_final_checkpoint()

    terminate = stop


app.steps["worker"].add(FinalCheckpoint)


class ConsumerReport(bootsteps.StartStopStep):
    """A worker reports itself while it consumes jobs; one that lost its queue does not."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        from agents.worker.registry import REPORT_SECONDS, report_consumer

        queues = sorted(consumer.app.amqp.queues.consume_from)
        report = partial(write_to_registry, report_consumer, consumer.hostname, queues)
        report()
        timer = consumer.timer
        self.timers = [
            timer.call_repeatedly(REPORT_SECONDS, report),
            timer.call_repeatedly(heartbeat.BEAT_SECONDS, heartbeat.beat),
        ]

    def stop(self, consumer: Any) -> None:
        for timer in self.timers:
            timer.cancel()

    def shutdown(self, consumer: Any) -> None:
        from agents.worker.registry import forget_consumer

        write_to_registry(forget_consumer, consumer.hostname)


app.steps["consumer"].add(ConsumerReport)


def write_to_registry(write: Callable[..., None], *arguments: Any) -> None:
    """To the registry, on a connection that is closed again: no forked child may inherit it."""
    from django.db import Error as DatabaseAway
    from django.db import connection

    try:
        write(*arguments)
    except DatabaseAway as error:
        logger.warning("worker registry not reached", extra={"error": repr(error)})
    finally:
        connection.close()


class Metrics(bootsteps.StartStopStep):
    """On METRICS_LISTEN, a port of the worker's own."""

    def start(self, worker: Any) -> None:
        from ops.metrics.server import serve_where_asked

        serve_where_asked()


app.steps["worker"].add(Metrics)


_scheduler_reported_at = float("-inf")


@before_task_publish.connect
def date_message(headers: dict[str, Any], **kwargs: Any) -> None:
    """So that health can tell how long the oldest one has waited."""
    headers["sent_at"] = time.time()


@before_task_publish.connect(sender="orchestrator.tasks.sweep")
def beat_with_the_scheduler(**kwargs: Any) -> None:
    """Also while Redis is away: then the scheduler comes round in vain, yet it does."""
    heartbeat.beat()


@after_task_publish.connect(sender="orchestrator.tasks.sweep")
def report_beat(sender: str, **kwargs: Any) -> None:
    """Nobody but the scheduler puts a sweep into the queue."""
    from agents.worker.registry import REPORT_SECONDS, report_scheduler

    global _scheduler_reported_at
    if time.monotonic() - _scheduler_reported_at < REPORT_SECONDS:
        return
    _scheduler_reported_at = time.monotonic()
    with log_fields(channel="scheduler", job=sender):
        write_to_registry(report_scheduler)


@worker_process_init.connect
@worker_ready.connect
def keep_what_is_loaded(**kwargs: Any) -> None:
    """To look for garbage in all of it would hold up every thread for a quarter of a second."""
    gc.freeze()


@task_prerun.connect
@task_postrun.connect
def drop_broken_connections(**kwargs: Any) -> None:
    """Keep connections from job to job as Django keeps them from request to request."""
    from django.db import close_old_connections

    close_old_connections()
