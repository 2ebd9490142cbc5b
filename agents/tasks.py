import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import shared_task
from celery.concurrency.thread import TaskPool as ThreadPool
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    worker_init,
    worker_process_init,
    worker_shutdown,
)
from django.conf import settings
from django.db import connections

from agents.queue import RUN_TASK, enqueue, inline_chain
from agents.services import hand_back
from audit.request_context import origin
from core.database import share_connections
from core.log_fields import log_fields

if TYPE_CHECKING:
    from agents.worker.shutdown import GracefulShutdown

QUEUE = "agents"
_serves_agents = False
_is_concurrency_given = False
_shutdown: "GracefulShutdown | None" = None
# Of a worker that does not fork children: how many tasks it works on at once, each in a thread.
_threads = 0


def is_stopping() -> bool:
    """Whether this worker's process has been told to end."""
    return _shutdown is not None and _shutdown.is_begun


def worker_prefix(pid: int) -> str:
    """Names all processes of one worker: host and the parent's process id."""
    return f"{socket.gethostname()}:{pid}:"


def worker_name() -> str:
    """This process, as it claims tasks."""
    pid = os.getpid()
    return f"{worker_prefix(pid if _threads else os.getppid())}{pid}"


@shared_task
def run_task(task_id: str) -> int:
    """Do the work of a task, if it is due and nobody else has it; how many tasks were done."""
    # Providers are needed by workers only; every other process starts without them.
    from agents.worker.run import run

    if is_stopping():
        # For another worker.
        enqueue(RUN_TASK, UUID(task_id))
        return 0
    worker = worker_name()
    by = {"channel": "worker"}
    with origin(**by), log_fields(**by), closing(inline_chain(UUID(task_id))) as tasks:
        return sum(run(task_id=task, worker=worker) for task in tasks)


@shared_task
def test_endpoint(endpoint_id: int) -> str:
    """One call of a few tokens at an endpoint of a project; the code of what failed."""
    from agents.endpoints.trial import try_endpoint

    return try_endpoint(endpoint_id)


@celeryd_init.connect
def note_options(options: dict[str, Any], **kwargs: Any) -> None:
    global _is_concurrency_given
    _is_concurrency_given = bool(options.get("concurrency"))


@worker_init.connect
def choose_concurrency(sender: Any, **kwargs: Any) -> None:
    """Where neither the command line nor Celery's own settings say how many threads."""
    if sender.pool_cls is ThreadPool and not _is_concurrency_given:
        sender.concurrency = settings.AGENT_CONCURRENCY


@celeryd_after_setup.connect
def note_queues(instance: Any, **kwargs: Any) -> None:
    """Before the fork, so that the children know, too."""
    global _serves_agents, _threads
    _serves_agents = QUEUE in instance.app.amqp.queues.consume_from
    if instance.pool_cls is ThreadPool:
        _threads = instance.concurrency
        pool = settings.AGENT_DATABASE_POOL
        share_connections(**pool | {"max_size": min(pool["max_size"], _threads + 1)})
        # Their calls need no broker and go on; what they have done is in the database.
        instance.app.conf.worker_cancel_long_running_tasks_on_connection_loss = False


@worker_process_init.connect
def start_worker_process(**kwargs: Any) -> None:
    """A forked child must not share its parent's database connections."""
    connections.close_all()
    if _serves_agents:
        from agents.worker.lease import start_lease_keeper

        start_lease_keeper(worker_name())


def start_worker_with_threads(worker: Any) -> None:
    """What each forked child would do at its start; and Celery's own signals wait for threads."""
    global _shutdown
    if not _threads or not _serves_agents:
        return
    from agents.providers import load_providers
    from agents.worker.lease import start_lease_keeper
    from agents.worker.shutdown import GracefulShutdown

    def wake_worker() -> None:
        if worker.hub is not None:
            worker.hub.call_soon(lambda: None)

    load_providers()
    start_lease_keeper(worker_name(), _threads)
    _shutdown = GracefulShutdown(worker_prefix(os.getpid()), wake_worker)
    _shutdown.handle_signals()


def stop_worker_with_threads() -> None:
    """Before Celery waits for the threads."""
    if _shutdown is not None:
        _shutdown.begin()
        _shutdown.wait()


@worker_shutdown.connect
def hand_back_unfinished(**kwargs: Any) -> None:
    """A worker that stops gives its unfinished tasks to others at once, not after the lease."""
    from agents.worker.registry import forget_processes

    prefix = worker_prefix(os.getpid())
    hand_back(worker_prefix=prefix)
    forget_processes(prefix)
