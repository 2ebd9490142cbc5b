"""Is anybody there to do the work? Asked only when nothing has happened for a while."""

import time
from dataclasses import dataclass, field
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from agents.enums import TaskStatus
from agents.models import Task

QUEUES = frozenset({"engine", "agents"})
PATIENCE_SECONDS = 5.0
# A worker that is only busy answers within this.
ANSWER_SECONDS = 1.0


@dataclass
class WorkerWatch:
    """`missing_since` is when it was first seen that nobody works; None while somebody does."""

    quiet_since: float = field(default_factory=time.monotonic)
    missing_since: float | None = None
    asked_at: float = 0.0

    def something_happened(self) -> None:
        self.quiet_since, self.missing_since = time.monotonic(), None

    def complaint(self, project_id: UUID) -> str:
        """What is wrong, when that is news; '' otherwise."""
        now = time.monotonic()
        if now - max(self.quiet_since, self.asked_at) < PATIENCE_SECONDS:
            return ""
        trouble = "" if _is_held(project_id) else what_is_missing()
        self.asked_at = time.monotonic()
        if not trouble:
            self.missing_since = None
            return ""
        is_news = self.missing_since is None
        self.missing_since = self.missing_since or now
        return trouble if is_news else ""

    def missing_seconds(self) -> float:
        return time.monotonic() - self.missing_since if self.missing_since else 0.0


def _is_held(project_id: UUID) -> bool:
    """A worker renews a lease, so one is alive."""
    held = Task.objects.filter(project=project_id, status=TaskStatus.WORKING)
    return held.filter(lease_expires_at__gt=Now()).exists()


def what_is_missing() -> str:
    """'' when a worker serves each queue."""
    if not _redis_answers():
        return "Redis does not answer, so nobody hears of the work. It goes on when Redis is back."
    try:
        served = _served_queues()
    except (OperationalError, OSError, redis.RedisError) as error:
        return f"The workers cannot be asked: {error}"
    if missing := sorted(QUEUES - served):
        return (
            f"No worker is running for {' and '.join(missing)}, so nothing happens. "
            "Start one: `make run` (manage.py up) on this database and Redis."
        )
    return ""


def _redis_answers() -> bool:
    """The broker's client tries for minutes; this does not."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _served_queues() -> set[str]:
    answers = current_app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    return {queue["name"] for queues in answers.values() for queue in queues}
