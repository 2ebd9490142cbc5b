import os
import socket
from contextlib import closing
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import celeryd_after_setup, worker_process_init, worker_shutdown
from django.db import connections

from agents.queue import inline_chain
from agents.services import hand_back
from audit.request_context import origin
from core.log_fields import log_fields

QUEUE = "agents"
_serves_agents = False


def worker_prefix(pid: int) -> str:
    """Names all children of one worker: host and the parent's process id."""
    return f"{socket.gethostname()}:{pid}:"


def worker_name() -> str:
    """This process, as it claims tasks."""
    return f"{worker_prefix(os.getppid())}{os.getpid()}"


@shared_task
def run_task(task_id: str) -> int:
    """Do the work of a task, if it is due and nobody else has it; how many tasks were done."""
    # Providers are needed by workers only; every other process starts without them.
    from agents.worker.run import run

    worker = worker_name()
    by = {"channel": "worker"}
    with origin(**by), log_fields(**by), closing(inline_chain(UUID(task_id))) as tasks:
        return sum(run(task_id=task, worker=worker) for task in tasks)


@celeryd_after_setup.connect
def note_queues(instance: Any, **kwargs: Any) -> None:
    """Before the fork, so that the children know, too."""
    global _serves_agents
    _serves_agents = QUEUE in instance.app.amqp.queues.consume_from


@worker_process_init.connect
def start_worker_process(**kwargs: Any) -> None:
    """A forked child must not share its parent's database connections."""
    connections.close_all()
    if _serves_agents:
        from agents.worker.lease import start_lease_keeper

        start_lease_keeper(worker_name())


@worker_shutdown.connect
def hand_back_unfinished(**kwargs: Any) -> None:
    """A worker that stops gives its unfinished tasks to others at once, not after the lease."""
    from agents.worker.registry import forget_processes

    prefix = worker_prefix(os.getpid())
    hand_back(worker_prefix=prefix)
    forget_processes(prefix)
