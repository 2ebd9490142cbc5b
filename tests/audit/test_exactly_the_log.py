"""Whatever happens to hints, connections and readers: the client has exactly the log."""

import asyncio
import json
import random
import threading
import uuid
from collections.abc import Iterator

import pytest
from django.db import connections
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from audit import services
from audit.models import Stream
from audit.stream import buffer as buffer_module
from audit.stream import queries
from audit.stream.hub import Hub, hub
from audit.stream.queries import in_database
from audit.stream.subscription import Position, Subscription
from tests.live import write

pytestmark = pytest.mark.django_db(transaction=True)

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 8)),
        st.tuples(st.just("deliver"), st.integers(0, 1000)),
        st.tuples(st.just("wait"), st.integers(1, 5)),
        st.tuples(st.just("reconnect"), st.just(0)),
        st.tuples(st.just("stop_reading"), st.just(0)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("restore"), st.just(0)),
        st.tuples(st.just("poll"), st.just(0)),
    ),
    max_size=25,
)


class Client:
    """Keeps what it gets, acknowledges it, and resumes from it; a reset empties it."""

    def __init__(self, project_id: uuid.UUID, window: int | None) -> None:
        self.project_id = project_id
        self.window = window
        self.log: list[int] = []
        self.epoch: str | None = None
        self.reads = asyncio.Event()
        self.reads.set()
        self.connect()

    def connect(self) -> None:
        self.subscription = Subscription(
            id="a",
            project_id=self.project_id,
            position=Position(self.log[-1] if self.log else 0, self.epoch),
            window=self.window,
            send=self.take,
            send_soon=lambda text: None,
            may_see=lambda project_id: True,
        )
        self.task = asyncio.create_task(self.subscription.run())

    async def disconnect(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def take(self, text: str) -> None:
        await self.reads.wait()
        frame = json.loads(text)
        if frame["type"] == "reset":
            self.log.clear()
        elif frame["type"] == "subscribed":
            self.epoch = frame["epoch"]
        elif frame["type"] == "event":
            assert frame["sequence"] == frame["event"]["sequence"]
            self.log.append(frame["sequence"])
            self.subscription.acknowledge(frame["sequence"])


@pytest.fixture
def hints(monkeypatch) -> Iterator[list[tuple]]:
    """What the channel layer was given to carry. It may lose, repeat and reorder it."""
    sent: list[tuple] = []
    monkeypatch.setattr(services, "publish_hint", lambda *hint: sent.append(hint))
    monkeypatch.setattr(buffer_module, "PAGE_SIZE", 3)
    monkeypatch.setattr(buffer_module, "MAX_EVENTS", 4)
    monkeypatch.setattr(buffer_module, "FIRST_EVENTS", 2)
    yield sent
    close_connections_of_readers()


def close_connections_of_readers() -> None:
    """Their threads outlive the test; all of them must be here at once, so that each gets a job."""
    together = threading.Barrier(queries.THREADS)

    def close() -> None:
        together.wait(20)
        connections.close_all()

    for job in [queries._threads.submit(close) for _ in range(queries.THREADS)]:
        job.result()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(
    # Another log, while the first word to a slow reader is still on its way.
    actions=[(name, 3) for name in ("stop_reading", "reconnect", "wait", "restore", "poll")],
    windows=[None],
)
@given(actions=ACTIONS, windows=st.lists(st.sampled_from([None, 1, 3]), min_size=1, max_size=3))
def test_the_client_has_exactly_the_log(hints, actions, windows):
    hints.clear()
    asyncio.run(play(actions, windows, hints))


async def play(actions: list, windows: list, hints: list) -> None:
    project_id = uuid.uuid4()
    await in_database(write, project_id, 2)
    news = hub()
    clients = [Client(project_id, window) for window in windows]
    try:
        for action, number in actions:
            await act(action, number, project_id, clients, hints, news)
        await settle(project_id, clients, news)
    finally:
        for client in clients:
            await client.disconnect()
        await news.close()


async def act(action, number, project_id, clients, hints, news: Hub) -> None:
    client = clients[number % len(clients)]
    match action:
        case "write":
            await in_database(write, project_id, number)
        case "deliver" if hints:
            _, epoch, head = hints[number % len(hints)]
            hint = {"type": "stream.hint", "project": str(project_id)}
            news._receive(hint | {"epoch": epoch, "head": head})
        case "wait":
            await asyncio.sleep(number / 1000)
        case "reconnect":
            await client.disconnect()
            client.connect()
        case "stop_reading":
            client.reads.clear()
        case "read":
            client.reads.set()
        case "poll":
            await news._check_heads([*news.buffers])
        case "restore":
            await in_database(set_epoch, project_id, f"{random.getrandbits(64):016x}")


def set_epoch(project_id: uuid.UUID, epoch: str) -> None:
    Stream.objects.filter(project=project_id).update(epoch=epoch)


async def settle(project_id: uuid.UUID, clients: list[Client], news: Hub) -> None:
    """All read on, and the poll comes round, as it does every 5 s."""
    head, epoch = await in_database(
        lambda: Stream.objects.values_list("sequence", "epoch").get(project=project_id)
    )
    for client in clients:
        client.reads.set()
    wanted = list(range(1, head + 1))
    async with asyncio.timeout(20):
        while any(client.log != wanted or client.epoch != epoch for client in clients):
            for client in clients:
                assert not client.task.done(), client.task
                assert client.log == wanted[: len(client.log)]
            await news._check_heads([*news.buffers])
            await asyncio.sleep(0.002)
