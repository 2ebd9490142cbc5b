"""Fixtures: servers that are away, and checks that start afresh."""

import socket
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from ops.health.check import checks
from ops.health.clients import redis_client
from ops.worker_registry import presence_key


@pytest.fixture(autouse=True)
def fresh_checks() -> None:
    """What an earlier test has found must not be this one's answer."""
    for check in checks:
        check.forget()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Refuses connections. Held all the while, or another program might be given it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


@pytest.fixture
def stopwatch() -> "Stopwatch":
    return Stopwatch()


class Stopwatch:
    def __init__(self) -> None:
        self.began = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.began


@pytest.fixture(autouse=True)
def nobody_there() -> None:
    """Workers of earlier tests are said to be there for a while after they were killed."""
    with redis_client() as client:
        client.delete(presence_key())


WAITS_FOR_US = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


def somebody_waits_for_us() -> bool:
    """Another connection wants a lock that this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS_FOR_US)
        return cursor.fetchone()[0] > 0
