import os
import socket
from contextlib import closing
from typing import Any
from uuid import UUID

from celery import shared_task
from celery.signals import worker_process_init, worker_shutdown
from django.db import connections

from agents.ring import taken_along
from agents.services import hand_back
from audit.origin import origin


def worker_prefix(pid: int) -> str:
    """Names all children of one worker: host and the parent's process id."""
    return f"{socket.gethostname()}:{pid}:"


@shared_task
def run_task(task_id: str) -> int:
    """Do the work of a task, if it is due and nobody else has it; how many tasks were done."""
    # Roles and providers are needed by workers only; every other process starts without them.
    from agents.runner import run

    worker = f"{worker_prefix(os.getppid())}{os.getpid()}"
    with origin(channel="worker"), closing(taken_along(UUID(task_id))) as tasks:
        return sum(run(task_id=one, worker=worker) for one in tasks)


@worker_process_init.connect
def start_afresh(**kwargs: Any) -> None:
    """A forked child must not share its parent's database connections."""
    connections.close_all()


@worker_shutdown.connect
def give_back_unfinished(**kwargs: Any) -> None:
    """A worker that stops hands its unfinished tasks to others at once, not after the lease."""
    hand_back(worker_prefix=worker_prefix(os.getpid()))
