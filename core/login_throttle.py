"""Log in by name and password, and not by trying.

Tries are counted for a name from an address, so that nobody can lock a person out from elsewhere,
and for an address, so that nobody can try one password on every name. In Redis, over all processes;
while it is away, in each process.
"""

import hashlib
import logging
import threading
import time
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from core.errors import TooMany

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 300
# An address may stand for an office; a name from an address for a person.
NAMES_OF_AN_ADDRESS = 10
AWAY_SECONDS = 5.0


class GuardedBackend(ModelBackend):
    """Django's own, that counts the tries which come with a request."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> Any:
        """Raises TooMany."""
        if request is None or username is None or not settings.LOGIN_TRIES:
            return super().authenticate(request, username=username, **credentials)
        address = request.META.get("REMOTE_ADDR", "")
        pair, whole = _key(username.lower(), address), _key(address)
        # Counted before the answer is known: a hundred tries at once are a hundred tries.
        _check(pair, settings.LOGIN_TRIES)
        _check(whole, settings.LOGIN_TRIES * NAMES_OF_AN_ADDRESS)
        user = super().authenticate(request, username=username, **credentials)
        if user is not None:
            counter().forget(pair)
        return user


def _check(key: str, limit: int) -> None:
    tries, seconds = counter().add(key)
    if tries > limit:
        minutes = max(1, round(seconds / 60))
        detail = f"Too many tries to log in. Wait {minutes} min, then try again."
        raise TooMany("too_many_tries", detail, retry_after=seconds)


def _key(*parts: str) -> str:
    """Redis is told neither names nor addresses."""
    text = "\0".join((settings.SECRET_KEY, *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Counter:
    """How often within the window, and the seconds until it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here: dict[str, tuple[int, float]] = {}
        self._away_until = 0.0

    def add(self, key: str) -> tuple[int, float]:
        if time.monotonic() >= self._away_until:
            try:
                return self._add_in_redis(key)
            except redis.RedisError as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                logger.warning("logins are counted here only", extra={"error": repr(error)})
        return self._add_here(key)

    def forget(self, key: str) -> None:
        with self._lock:
            self._here.pop(key, None)
        if time.monotonic() < self._away_until:
            return
        try:
            _redis().delete(_name(key))
        except redis.RedisError:
            # It ends by itself.
            self._away_until = time.monotonic() + AWAY_SECONDS

    def _add_in_redis(self, key: str) -> tuple[int, float]:
        with _redis().pipeline() as pipeline:
            pipeline.incr(_name(key))
            pipeline.expire(_name(key), WINDOW_SECONDS, nx=True)
            pipeline.ttl(_name(key))
            tries, _, seconds = pipeline.execute()
        return tries, float(max(1, seconds))

    def _add_here(self, key: str) -> tuple[int, float]:
        now = time.monotonic()
        with self._lock:
            current = {k: v for k, v in self._here.items() if v[1] > now}
            tries, ends = current.get(key, (0, now + WINDOW_SECONDS))
            self._here = current | {key: (tries + 1, ends)}
        return tries + 1, ends - now


def _name(key: str) -> str:
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return f"{prefix}:login:{key}"


@cache
def counter() -> Counter:
    return Counter()


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
