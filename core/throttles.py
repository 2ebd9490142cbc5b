"""How much one user, or one address, may ask of one server process.

Counted in the process: no request waits for a counter elsewhere, and none fails with it. It keeps
one client from taking the server from all others; it is no exact quota.
"""

import threading
import time
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

# Beyond so many names those are forgotten that have all their tokens back.
KEPT = 10_000
MINUTE = 60.0


class Buckets:
    """A bucket of tokens for each name: full at first, and full again after a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def seconds_to_wait(self, name: str, per_minute: int) -> float:
        """Take a token; 0 if there was one. A rate of 0 is none at all."""
        if per_minute <= 0:
            return 0.0
        now, rate = time.monotonic(), per_minute / MINUTE
        with self._lock:
            if len(self._left) >= KEPT:
                self._forget(now)
            left, at = self._left.get(name, (float(per_minute), now))
            left = min(float(per_minute), left + (now - at) * rate)
            self._left[name] = (max(0.0, left - 1), now) if left >= 1 else (left, now)
        return 0.0 if left >= 1 else (1 - left) / rate

    def _forget(self, now: float) -> None:
        self._left = {n: (left, at) for n, (left, at) in self._left.items() if now - at < MINUTE}


users = Buckets()
addresses = Buckets()


class UserThrottle(BaseThrottle):
    """For every API view; who is not logged in counts by address, in the middleware."""

    seconds = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return True
        name = str(request.user.pk)
        self.seconds = users.seconds_to_wait(name, settings.THROTTLE_USER_PER_MINUTE)
        return self.seconds == 0

    def wait(self) -> float:
        return self.seconds
