"""A thousand clients at once."""

import asyncio
import threading

import pytest
from django.db import connection, connections

from audit.stream.queries import THREADS
from tests.audit.conftest import mortal  # noqa: F401
from tests.live import MortalWebServer, burst, token_of
from tools.benchmarks.sockets import clients

pytestmark = pytest.mark.django_db(transaction=True)

MISSED = 300
CLIENTS = 1000


class ConnectionCount(threading.Thread):
    """The most connections that others had to the database of the tests."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.is_over = 0, threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.05):
            self.most = max(self.most, connections_of_others())
        connections.close_all()


def connections_of_others() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


def test_a_thousand_clients_that_come_back_at_once_lose_nothing(
    mortal: MortalWebServer,  # noqa: F811
    project,
    viewer,
):
    path, token = f"/ws/projects/{project.pk}/?after=", token_of(viewer)
    head = burst(project.pk, batches=1, size=10, padding="")
    asyncio.run(come_and_lose_the_server(mortal, f"{path}{head}", token, head))
    end = burst(project.pk, batches=3, size=MISSED // 3, padding="x" * 200)
    before = connections_of_others()
    mortal.start()
    count = ConnectionCount()
    count.start()

    received = asyncio.run(come_back(mortal, f"{path}{head}", token, head))
    count.is_over.set()
    count.join(10)

    assert received == [(end - head, end, 0, 0)] * CLIENTS
    # One more is the count's own thread.
    assert count.most - before <= THREADS + 1


async def come_and_lose_the_server(
    server: MortalWebServer, path: str, token: str, after: int
) -> None:
    options = {"port": server.server.port, "path": path, "token": token, "after": after}
    async with clients(CLIENTS, **options) as listening:
        server.kill()
        async with asyncio.timeout(30):
            while not all(client.is_closed for client in listening):
                await asyncio.sleep(0.01)


async def come_back(server: MortalWebServer, path: str, token: str, after: int) -> list[tuple]:
    """Of each client: how many it got, the last one, how many were missing, how many doubled."""
    options = {"port": server.server.port, "path": path, "token": token, "after": after}
    async with clients(CLIENTS, **options, at_once=CLIENTS) as listening:
        return [(one.received, one.last, one.lost, one.doubled) for one in listening]
