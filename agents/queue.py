"""Puts jobs into the queue. A ring may be lost: the sweep rings again. It may not hold up anybody.

Without an answer of Redis one ring in a while waits for its time-out; the others are lost at once.
"""

import logging
import time
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from agents.metrics import RINGS_LOST
from core.failpoints import failpoint

logger = logging.getLogger(__name__)

SILENT_SECONDS = 2.0
LOST_SECONDS = 3.0
PATIENCE_TIMEOUT_SECONDS = 0.5

_silent_until = 0.0


def put_into_queue(job: Any, id: UUID) -> bool:
    """Whether the ring was heard; False where it was lost. `job` is a Celery task on one id."""
    global _silent_until
    if time.monotonic() < _silent_until:
        _count_lost(job)
        return False
    failpoint("after_commit_before_ring")
    try:
        job.delay(str(id))
    except (OperationalError, OSError) as error:
        _silent_until = time.monotonic() + SILENT_SECONDS
        _count_lost(job)
        logger.warning("ring lost", extra=_subject(job, id) | {"error": repr(error)})
        return False
    failpoint("after_publish_before_mark")
    return True


def patience(queue: str) -> float:
    """Seconds after which a ring that nobody answered counts as lost.

    In a queue that is empty a ring does not wait: there it was lost. In one that is not, ringing
    again too soon would only make it longer.
    """
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    options = {"socket_timeout": PATIENCE_TIMEOUT_SECONDS, "retry": None}
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **options) as client:
            is_empty = client.llen(f"{prefix}{queue}") == 0
    except (redis.RedisError, OSError):
        return settings.RING_AGAIN_SECONDS
    return (
        min(LOST_SECONDS, settings.RING_AGAIN_SECONDS) if is_empty else settings.RING_AGAIN_SECONDS
    )


def _subject(job: Any, id: UUID) -> dict[str, str]:
    return {"rang_for": job.name, "task" if _is_work(job) else "project": str(id)}


def _is_work(job: Any) -> bool:
    return job.name.startswith("agents.")


def _count_lost(job: Any) -> None:
    RINGS_LOST.labels("agents" if _is_work(job) else "engine").inc()
