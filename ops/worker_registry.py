"""Who is there: in Redis, each worker that takes jobs, and the scheduler's last beat.

A worker that has lost its queue cannot say that it is there, and that is meant. Times are Redis'.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

SAY_AGAIN_SECONDS = 5.0
# Three times said in vain.
GONE_SECONDS = 16.0
FORGOTTEN_SECONDS = 3600
BEAT = "beat"


@dataclass(frozen=True)
class Presence:
    """Names of the live workers by queue; the scheduler's beat is None where it never beat."""

    workers: dict[str, list[str]]
    beat_age_seconds: float | None


def note_worker(name: str, queues: Iterable[str]) -> None:
    """This worker takes jobs from these queues, now."""
    _note(_member(name, queues))


def note_beat() -> None:
    """The scheduler has put a job into the queue, now."""
    _note(BEAT)


def forget_worker(name: str, queues: Iterable[str]) -> None:
    """It stops."""
    try:
        _redis().zrem(presence_key(), _member(name, queues))
    except redis.RedisError as error:
        logger.info("presence not taken back", extra={"error": repr(error)})


def read_presence(client: redis.Redis) -> Presence:
    """Raises RedisError."""
    seconds, micros = client.time()
    now, workers, beat = seconds + micros / 1e6, {}, None
    for member, at in client.zrange(presence_key(), 0, -1, withscores=True):
        if member.decode() == BEAT:
            beat = max(0.0, now - at)
        elif now - at < GONE_SECONDS:
            name, queues = json.loads(member)
            for queue in queues:
                workers.setdefault(queue, []).append(name)
    return Presence(workers, beat)


def _note(member: str) -> None:
    try:
        client = _redis()
        seconds, micros = client.time()
        now = seconds + micros / 1e6
        with client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(presence_key(), {member: now})
            pipeline.zremrangebyscore(presence_key(), 0, now - FORGOTTEN_SECONDS)
            pipeline.execute()
    except redis.RedisError as error:
        logger.warning("presence not noted", extra={"error": repr(error)})


def _member(name: str, queues: Iterable[str]) -> str:
    return json.dumps([name, sorted(queues)])


def presence_key() -> str:
    """Installations on one Redis are kept apart as their hints and jobs are."""
    channel = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    queue = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    return f"{channel}:{queue}presence"


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
