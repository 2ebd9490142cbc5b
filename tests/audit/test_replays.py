"""Many who come back at once: how many of them read their past at a time."""

import asyncio
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from audit.stream import buffer as buffer_module
from audit.stream.hub import REPLAYS, hub
from audit.stream.queries import in_database
from tests.audit.test_exactly_the_log import Client, close_connections_of_readers
from tests.live import burst

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 600
CLIENTS = 60


class Readings:
    """Reads pages as the buffer does, and counts how many read at the same time."""

    def __init__(self) -> None:
        self.read_page = buffer_module.read_page
        self.lock = threading.Lock()
        self.are_all_there = threading.Event()
        self.now = self.most = self.total = 0

    def __call__(self, *arguments: Any) -> Any:
        with self.lock:
            self.now, self.total = self.now + 1, self.total + 1
            self.most = max(self.most, self.now)
            if self.most >= REPLAYS:
                self.are_all_there.set()
        # The first ones take a while, so that the others come too.
        self.are_all_there.wait(0.1)
        try:
            return self.read_page(*arguments)
        finally:
            with self.lock:
                self.now -= 1


@pytest.fixture
def readings(monkeypatch) -> Iterator[Readings]:
    counted = Readings()
    monkeypatch.setattr(buffer_module, "read_page", counted)
    yield counted
    close_connections_of_readers()


def test_no_more_than_the_bound_read_their_past_at_a_time(readings):
    logs = asyncio.run(all_come_back(uuid.uuid4()))

    assert logs == [list(range(1, EVENTS + 1))] * CLIENTS
    assert readings.total > CLIENTS
    assert readings.most == REPLAYS


async def all_come_back(project_id: uuid.UUID) -> list[list[int]]:
    await in_database(lambda: burst(project_id, batches=3, size=EVENTS // 3, padding=""))
    clients = [Client(project_id, window=None) for _ in range(CLIENTS)]
    try:
        async with asyncio.timeout(60):
            while any(len(client.log) < EVENTS for client in clients):
                await asyncio.sleep(0.01)
    finally:
        for client in clients:
            await client.disconnect()
        await hub().close()
    return [client.log for client in clients]
