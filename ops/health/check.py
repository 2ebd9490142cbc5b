import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import redis
from django.db import Error as DatabaseAway

from core.registry import Registry

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 2.0
# Probes that come more often share one run.
FRESH_SECONDS = 1.0


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True)
class Finding:
    """The result of a check. `facts` are shown beside it, and become metrics."""

    status: Status = Status.HEALTHY
    message: str = "ok"
    facts: dict[str, Any] = field(default_factory=dict)
    response_time_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "status": str(self.status),
            "message": self.message,
            "response_time_ms": self.response_time_ms,
        } | self.facts


class Check:
    """Runs in a thread of its own: a server that hangs costs a request the time-out, no more.

    While a run hangs, no second one starts, and after the time-out nobody waits for it.
    """

    def __init__(self, name: str, run: Callable[[], Finding], *, is_required: bool = False) -> None:
        self.name = name
        self.is_required = is_required
        self._run = run
        self._lock = threading.Lock()
        self._running: Future[Finding] | None = None
        self._began = 0.0

    def begin(self) -> "Future[Finding]":
        with self._lock:
            is_fresh = time.monotonic() - self._began < FRESH_SECONDS
            if self._running is None or (self._running.done() and not is_fresh):
                self._running, self._began = Future(), time.monotonic()
                name = f"health-{self.name}"
                # A daemon, because a hanging check must not keep the process from ending.
                arguments = (self._running, self._began)
                threading.Thread(target=self._work, args=arguments, name=name, daemon=True).start()
            return self._running

    def forget(self) -> None:
        """The next caller gets a new run."""
        with self._lock:
            self._running = None

    def seconds_left(self) -> float:
        return max(0.0, self._began + TIMEOUT_SECONDS - time.monotonic())

    def _work(self, future: "Future[Finding]", began: float) -> None:
        try:
            finding = self._run()
        except (DatabaseAway, redis.RedisError, OSError) as error:
            # The text of a driver may name hosts and users: it goes to the log only.
            logger.warning("health check failed", extra={"check": self.name, "error": repr(error)})
            finding = Finding(Status.UNHEALTHY, "not reachable")
        except Exception:
            logger.exception("health check broke", extra={"check": self.name})
            finding = Finding(Status.UNHEALTHY, "the check itself failed; see the log")
        duration = round((time.monotonic() - began) * 1000, 1)
        future.set_result(replace(finding, response_time_ms=duration))


checks: Registry[Check] = Registry("health check", place="health.checks")


def check(
    name: str, *, is_required: bool = False, order: int = 100
) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Register a function as a check. `is_required`: without it no request can be served."""

    def register(run: Callable[[], Finding]) -> Callable[[], Finding]:
        checks.register(name, Check(name, run, is_required=is_required), order=order)
        return run

    return register


def run_checks(selected: Iterable[Check]) -> dict[str, Finding]:
    """All of them side by side, none longer than the time-out."""
    running = {check: check.begin() for check in selected}
    findings = {}
    for check, future in running.items():
        wait([future], check.seconds_left())
        if future.done():
            findings[check.name] = future.result()
        else:
            message = f"no answer within {TIMEOUT_SECONDS:g} s"
            findings[check.name] = Finding(
                Status.UNHEALTHY, message, response_time_ms=TIMEOUT_SECONDS * 1000
            )
    return findings
