"""A count that all processes add to, in Redis; while Redis is away, in each process."""

import threading
import time

import redis

from core import token_bucket
from core.token_bucket import REDIS_RETRY_SECONDS, shared_key


class SharedCounter:
    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._here = 0
        self._away_until = 0.0

    def add(self, count: int = 1) -> None:
        with self._lock:
            self._here += count
            if time.monotonic() < self._away_until:
                return
            try:
                token_bucket.redis_client().incrby(shared_key("counts", self.name), self._here)
                self._here = 0
            except redis.RedisError:
                self._away_until = time.monotonic() + REDIS_RETRY_SECONDS

    def take(self) -> int:
        """What was added since the last time, by all; 0 while Redis is away."""
        try:
            return int(token_bucket.redis_client().getdel(shared_key("counts", self.name)) or 0)
        except redis.RedisError:
            return 0
