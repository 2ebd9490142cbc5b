"""Ring for a task. A ring may be lost: the row is the truth, and the sweep rings again.

A job that has just finished a step takes the next one along, for a short while: a chain of quick
steps needs no message for each. What it does not take goes into the queue as ever.
"""

import threading
import time
from collections.abc import Iterator
from uuid import UUID

from django.db import transaction

from agents.queue import put_into_queue

TAKE_ALONG_SECONDS = 2.0


class Job(threading.local):
    """The job that this thread works on, if any, and the task that it will take along."""

    takes_until = 0.0
    next_task: UUID | None = None


_job = Job()


def taken_along(first: UUID) -> Iterator[UUID]:
    """The job's own task, then each one that is rung for while the one before is worked on."""
    _job.takes_until, _job.next_task = time.monotonic() + TAKE_ALONG_SECONDS, first
    try:
        while _job.next_task is not None:
            task_id, _job.next_task = _job.next_task, None
            yield task_id
    finally:
        _job.takes_until = 0.0
        if _job.next_task is not None:
            task_id, _job.next_task = _job.next_task, None
            ring(task_id)


def ring_on_commit(task_id: UUID) -> None:
    """Put a job for the task into the queue as soon as its row is there for a worker to see."""
    transaction.on_commit(lambda: ring(task_id), robust=True)


def ring(task_id: UUID) -> None:
    from agents.tasks import run_task

    if _job.next_task is None and time.monotonic() < _job.takes_until:
        _job.next_task = task_id
        return
    put_into_queue(run_task, task_id)
