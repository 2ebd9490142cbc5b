"""Puts jobs into Celery's queues, by the name of the Celery task and the id of a row.

A message may be lost: the row is the truth, and the sweep enqueues again. It may hold up nobody:
while Redis does not answer, one message in a while waits for the time-out, the others are lost at
once. A worker that has just finished a step takes the next one along without a message, for a short
while, and a shorter one where others wait: a chain of quick steps needs no hop through the broker
for each.
"""

import logging
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from agents.metrics import MESSAGES_LOST
from core.failpoints import failpoint

logger = logging.getLogger(__name__)

RUN_TASK = "agents.tasks.run_task"
ADVANCE = "orchestrator.tasks.advance"
TEST_ENDPOINT = "agents.tasks.test_endpoint"
MAKE_DOCUMENT = "orchestrator.tasks.make_document"
INLINE_CHAIN_SECONDS = 2.0
# The same where other tasks wait in the queue for a worker.
INLINE_CHAIN_TURN_SECONDS = 0.25
# How old the length of the queue may be, as a job knows it.
QUEUE_LENGTH_SECONDS = 0.1
SILENT_SECONDS = 2.0
LOST_SECONDS = 3.0
QUEUE_LENGTH_TIMEOUT_SECONDS = 0.5

_silent_until = 0.0
_waiting = False
_waiting_until = 0.0


class _InlineChain(threading.local):
    """Of the job that this thread works on, if any: the task that it will do next."""

    began = 0.0
    open_until = 0.0
    next_task: UUID | None = None
    #: On `next_task`, where the transaction that it came of has claimed it, too.
    claim: Any = None


_chain = _InlineChain()


def enqueue(job: str, id: UUID) -> bool:
    """Whether the broker has the message; False where it was lost. `job` is one of the above."""
    global _silent_until
    queue = "engine" if job == ADVANCE else "agents"
    if time.monotonic() < _silent_until:
        MESSAGES_LOST.labels(queue).inc()
        return False
    failpoint("after_commit_before_enqueue")
    try:
        current_app.send_task(job, [str(id)], queue=queue, ignore_result=True)
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + SILENT_SECONDS
        MESSAGES_LOST.labels(queue).inc()
        row = "task" if job == RUN_TASK else "project"
        logger.warning("message lost", extra={"job": job, row: str(id), "error": repr(error)})
        return False
    failpoint("after_publish_before_mark")
    return True


def enqueue_task(task_id: UUID) -> None:
    """To the worker whose job this thread runs, if it has time for it; else into the queue."""
    if _chain.next_task is None and time.monotonic() < _chain.open_until:
        _chain.next_task = task_id
        return
    enqueue(RUN_TASK, task_id)


def enqueue_task_on_commit(task_id: UUID) -> None:
    """As soon as the row is there for a worker to see."""
    transaction.on_commit(lambda: enqueue_task(task_id), robust=True)


def inline_chain(first: UUID) -> Iterator[UUID]:
    """A job's own task, then each one that is enqueued while the one before is worked on."""
    _chain.began = time.monotonic()
    _chain.open_until, _chain.next_task = _chain.began + INLINE_CHAIN_SECONDS, first
    try:
        while _chain.next_task is not None:
            task_id, _chain.next_task = _chain.next_task, None
            yield task_id
            if _chain.claim is None and _is_turn_over():
                return
    finally:
        # A claim that nobody works on, as after an error, is lost with its lease.
        _chain.open_until, _chain.claim = 0.0, None
        if _chain.next_task is not None:
            task_id, _chain.next_task = _chain.next_task, None
            enqueue(RUN_TASK, task_id)


def may_take_along() -> bool:
    """Whether the job of this thread goes on with a task that comes of its next transaction."""
    is_open = _chain.next_task is None and time.monotonic() < _chain.open_until
    return is_open and not _is_turn_over()


def take_along(claim: Any) -> None:
    """The job of this thread goes on with this claim, whatever the time."""
    _chain.next_task, _chain.claim = claim.task.pk, claim


def claim_taken_along() -> Any:
    """The claim on the task that the job begins now, if there is one already."""
    claim, _chain.claim = _chain.claim, None
    return claim


def _is_turn_over() -> bool:
    is_long = time.monotonic() - _chain.began > INLINE_CHAIN_TURN_SECONDS
    return is_long and is_somebody_waiting()


def is_somebody_waiting() -> bool:
    """Whether there are tasks in the queue that no worker has room for; not when Redis is away."""
    global _waiting, _waiting_until
    if time.monotonic() >= _waiting_until:
        # First, so that other threads go on with what is known while this one asks.
        _waiting_until = time.monotonic() + QUEUE_LENGTH_SECONDS
        _waiting = bool(queue_length("agents"))
    return _waiting


def redelivery_timeout(queue: str) -> float:
    """Seconds after which a message that no worker answered counts as lost.

    In a queue that is empty no message waits: there it was lost. In one that is not, enqueuing
    again too soon would only make it longer.
    """
    if queue_length(queue) == 0:
        return min(LOST_SECONDS, settings.REDELIVERY_SECONDS)
    return settings.REDELIVERY_SECONDS


def queue_length(queue: str) -> int | None:
    """Messages that no worker has taken; None when Redis does not answer."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    try:
        return _redis(settings.REDIS_URL).llen(f"{prefix}{queue}")
    except (redis.RedisError, OSError):
        return None


@cache
def _redis(url: str) -> redis.Redis:
    """Kept: to make one and to log in takes a hundred times as long as to ask."""
    return redis.Redis.from_url(url, socket_timeout=QUEUE_LENGTH_TIMEOUT_SECONDS, retry=None)
