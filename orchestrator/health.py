"""Is it up, and can it serve. Nobody logs in, nothing waits for long, nothing secret is said."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

SERVICE = "countersign"
TIMEOUT_SECONDS = 2.0


def check_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def check_redis() -> None:
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=1,
        socket_timeout=1,
        retry=None,
    )
    with client:
        client.ping()


class Check:
    """Runs in a thread of its own: a server that hangs costs a request the time-out, no more.

    While one run hangs no second one starts.
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        self.name = name
        self._run = run
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"health-{name}")
        self._running: Future | None = None

    def report(self) -> dict[str, Any]:
        started = time.monotonic()
        message = self._message()
        return {
            "status": "unhealthy" if message else "healthy",
            "message": message or "ok",
            "response_time_ms": round((time.monotonic() - started) * 1000, 1),
        }

    def _message(self) -> str:
        if self._running is None or self._running.done():
            self._running = self._pool.submit(self._run)
        try:
            self._running.result(TIMEOUT_SECONDS)
        except StillRunning:
            return f"no answer within {TIMEOUT_SECONDS:g} s"
        except (DatabaseError, redis.RedisError, OSError) as error:
            # The text of a driver may name hosts and users: it goes to the log only.
            logger.warning("health check failed", extra={"check": self.name, "error": repr(error)})
            return "not reachable"
        return ""


CHECKS = {"database": Check("database", check_database), "redis": Check("redis", check_redis)}


def _basic(status: str = "healthy") -> dict[str, Any]:
    return {"status": status, "service": SERVICE, "version": settings.VERSION}


@never_cache
@require_safe
def basic(request: HttpRequest) -> JsonResponse:
    """The process answers. Looks at nothing else."""
    return JsonResponse(_basic())


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether requests can be served now: 503 while the database or Redis is away."""
    components = {name: check.report() for name, check in CHECKS.items()}
    is_ready = all(one["status"] == "healthy" for one in components.values())
    body = _basic("healthy" if is_ready else "unhealthy") | {"components": components}
    return JsonResponse(body, status=200 if is_ready else 503)
