"""Jobs of the floor: what bare Celery does with as many jobs that do nothing."""

import os
import time

from celery import shared_task
from redis import Redis

from tools.benchmarks.instant import PROSE
from tools.benchmarks.peers import floor


@shared_task
def link(url: str, key: str, left: int) -> None:
    """One link of a chain of no-op jobs; the last one says that the chain is done."""
    if left > 1:
        link.delay(url, key, left - 1)
    else:
        Redis.from_url(url).rpush(key, 1)


@shared_task
def tell_when_started(url: str, key: str) -> None:
    """Says when it started, in seconds since the epoch."""
    Redis.from_url(url).rpush(key, repr(time.time()))


@shared_task
def take_floor_step(url: str, run: str, task: str) -> None:
    """A step of the floor of `make bench-peers`."""
    floor.work(url, run, task, f"{os.getpid()}", PROSE)
