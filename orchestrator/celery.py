import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import task_postrun, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

SEND_TIMEOUT_SECONDS = 1


class QuickToRing(Celery):
    """Workers wait for messages with patience; who rings holds up a request and must not."""

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        given = kwargs.pop("transport_options", None) or {}
        options = {"socket_timeout": SEND_TIMEOUT_SECONDS} | given
        return super().connection_for_write(url, transport_options=options, **kwargs)


app = QuickToRing("countersign")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would open a new database connection for every job, which costs more than most of our jobs.
app.conf.CELERY_DB_REUSE_MAX = 1_000_000_000
app.autodiscover_tasks()


class GiveBack(bootsteps.StartStopStep):
    """Celery sends `worker_shutdown` only where every job could finish; here, where not."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        pass

    def stop(self, worker: Any) -> None:
        pass

    def terminate(self, worker: Any) -> None:
        from agents.tasks import give_back_unfinished

        give_back_unfinished()


app.steps["worker"].add(GiveBack)


@task_prerun.connect
@task_postrun.connect
def drop_broken_connections(**kwargs: Any) -> None:
    """Keep connections from job to job as Django keeps them from request to request."""
    from django.db import close_old_connections

    close_old_connections()
