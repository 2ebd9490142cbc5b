"""Token buckets: full at first, emptied one by one, and filled again at a steady rate.

All limits of this product use them: of a connection, of a key in this process, and of a key over
all processes.
"""

import logging
import threading
import time
from functools import cache

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

# Beyond so many keys those are forgotten whose buckets are full again.
MAX_KEYS = 10_000
REDIS_RETRY_SECONDS = 5.0


class TokenBucket:
    """For one task at a time."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self.capacity, self.per_second = float(capacity), per_second
        self.tokens, self.updated_at = self.capacity, time.monotonic()

    def take(self) -> float:
        """Take a token: 0, or the seconds until there is one."""
        self.refill()
        if self.tokens < 1:
            return (1 - self.tokens) / self.per_second
        self.tokens -= 1
        return 0.0

    def refill(self) -> None:
        now = time.monotonic()
        gained = (now - self.updated_at) * self.per_second
        self.tokens, self.updated_at = min(self.capacity, self.tokens + gained), now

    def is_full(self) -> bool:
        self.refill()
        return self.tokens >= self.capacity


class TokenBuckets:
    """One a key, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, key: str, capacity: int, seconds: float) -> float:
        """Take one of `capacity` tokens, which are all back after `seconds`.

        0, or the seconds until there is one. A capacity of 0 is no limit.
        """
        if capacity <= 0:
            return 0.0
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None or bucket.capacity != capacity:
                if len(self._buckets) >= MAX_KEYS:
                    self._buckets = {k: b for k, b in self._buckets.items() if not b.is_full()}
                bucket = self._buckets[key] = TokenBucket(capacity, capacity / seconds)
            return bucket.take()

    def refill(self, key: str) -> None:
        with self._lock:
            self._buckets.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()


# By the clock of Redis. A bucket that would be full again is no longer there.
TAKE = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'updated_at')
local tokens = capacity
if bucket[1] then
    local gained = math.max(0, now - tonumber(bucket[2])) * per_second
    tokens = math.min(capacity, tonumber(bucket[1]) + gained)
end
local wait = 0
if tokens < 1 then wait = (1 - tokens) / per_second else tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens),
    'updated_at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) / per_second * 1000) + 1)
return string.format('%.6f', wait)
"""


class SharedTokenBuckets:
    """One a key, in Redis, for all processes; while Redis is away, in each process."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._here = TokenBuckets()
        self._away_until = 0.0

    def take(self, key: str, capacity: int, seconds: float) -> float:
        """As `TokenBuckets.take`."""
        if capacity <= 0:
            return 0.0
        if time.monotonic() >= self._away_until:
            try:
                take = redis_client().register_script(TAKE)
                return float(take([self.redis_key(key)], [capacity, capacity / seconds]))
            except redis.RedisError as error:
                self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
                logger.warning(
                    "limits are kept in each process",
                    extra={"limit": self.prefix, "error": repr(error)},
                )
        return self._here.take(key, capacity, seconds)

    def refill(self, key: str) -> None:
        self._here.refill(key)
        if time.monotonic() < self._away_until:
            return
        try:
            redis_client().delete(self.redis_key(key))
        except redis.RedisError:
            # It fills up by itself.
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS

    def redis_key(self, key: str) -> str:
        return shared_key("tokens", self.prefix, key)


def shared_key(*parts: str) -> str:
    """In Redis, of this installation alone."""
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return ":".join((prefix, *parts))


@cache
def redis_client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
