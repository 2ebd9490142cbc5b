"""Fixtures: servers that are away, and checks that start afresh."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agents.models import WorkerProcess
from ops.health.check import checks


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


@pytest.fixture
def report(db: None) -> Iterator[Callable[..., None]]:
    """Writes to the worker registry for checks to see, which look from threads of their own."""

    def write(function: Callable[..., object], *arguments: object) -> None:
        def commit() -> None:
            try:
                function(*arguments)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as thread:
            thread.submit(commit).result()

    yield write
    write(WorkerProcess.objects.all().delete)


WAITS_FOR_US = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""


def somebody_waits_for_us() -> bool:
    """Another connection wants a lock that this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(WAITS_FOR_US)
        return cursor.fetchone()[0] > 0
