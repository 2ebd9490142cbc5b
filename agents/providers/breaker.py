"""A model that fails again and again is left alone for a while; its fallbacks serve meanwhile.

Each process finds out by itself: it costs few calls, and needs nobody else.
"""

import logging
import threading
import time

from agents.metrics import BREAKERS_OPENED

logger = logging.getLogger(__name__)

FAILURES = 3
OPEN_SECONDS = 30.0


class Breaker:
    """Of one model at one endpoint. After a pause it is asked again; one failure more, and it is
    left alone once more."""

    def __init__(self) -> None:
        self.failures = 0
        self.open_until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self.open_until

    def note(self, name: str, *, has_failed: bool) -> None:
        if not has_failed:
            self.failures = 0
            return
        self.failures += 1
        if self.failures >= FAILURES and not self.is_open:
            self.open_until = time.monotonic() + OPEN_SECONDS
            BREAKERS_OPENED.labels(*name.split(":", 1)).inc()
            logger.warning("model left alone", extra={"model": name, "seconds": OPEN_SECONDS})


_breakers: dict[str, Breaker] = {}
_lock = threading.Lock()


def breaker_of(name: str) -> Breaker:
    """`name` is `endpoint:model`."""
    with _lock:
        return _breakers.setdefault(name, Breaker())


def closed_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that may be asked, in their order; all of them where none may."""
    return tuple(name for name in names if not breaker_of(name).is_open) or names


def forget_breakers() -> None:
    """For tests."""
    _breakers.clear()
