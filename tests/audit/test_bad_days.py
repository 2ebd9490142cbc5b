"""Two server processes, writers of their own, a Redis that dies, a reader that does not read."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from statistics import median

import psutil
import pytest
import redis

from ops.devserver.binaries import valkey_program
from ops.devserver.valkey import free_port
from tests.live import (
    BUSY_SECONDS,
    WebServer,
    burst,
    close_code,
    events,
    hear_until,
    test_database_url,
    write,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class MortalRedis:
    """A Redis of this test's own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen([valkey_program(None), *options], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def mortal_redis() -> Iterator[MortalRedis]:
    server = MortalRedis()
    yield server
    server.kill()


@pytest.fixture
def servers(mortal_redis: MortalRedis, django_db_setup: None) -> Iterator[list[WebServer]]:
    """Two, behind what would be a load balancer."""
    pair = [WebServer(REDIS_URL=mortal_redis.url) for _ in range(2)]
    yield pair
    for server in pair:
        server.stop()


class Reader(threading.Thread):
    """Reads a project to the end and notes when what came."""

    def __init__(self, server: WebServer, project_id, user, up_to: int) -> None:
        super().__init__(daemon=True)
        self.connecting = server.follow(project_id, user)
        self.up_to = up_to
        self.seen: list[tuple[int, float]] = []
        self.start()

    def run(self) -> None:
        with self.connecting as socket:
            for frame in events(socket, self.up_to):
                created = datetime.fromisoformat(frame["event"]["created_at"]).timestamp()
                self.seen.append((frame["sequence"], time.time() - created))

    @property
    def sequences(self) -> list[int]:
        return [sequence for sequence, _ in self.seen]


def writer(project_id, redis_url: str, count: int, per_second: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.audit.writer", str(project_id)]
    return subprocess.Popen(
        [*command, str(count), str(per_second)],
        env=os.environ | {"DATABASE_URL": test_database_url(), "REDIS_URL": redis_url},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_servers_and_two_writers(servers, mortal_redis, project, viewer):
    readers = [Reader(server, project.pk, viewer, 203) for server in servers for _ in range(3)]
    writers = [writer(project.pk, mortal_redis.url, 100, 100) for _ in range(2)]
    for reader in readers:
        reader.join(120)

    assert all(one.wait(20) == 0 for one in writers)
    for reader in readers:
        assert reader.sequences == list(range(1, 204))


def test_redis_dies_in_the_middle_and_comes_back(servers, mortal_redis, project, viewer):
    readers = [Reader(server, project.pk, viewer, 503) for server in servers]
    writing = writer(project.pk, mortal_redis.url, 500, 50)
    milliseconds = []
    for line in writing.stdout:
        sequence, took = line.split()
        milliseconds.append(float(took))
        if sequence == "103":
            mortal_redis.kill()
        if sequence == "253":
            mortal_redis.start()
    for reader in readers:
        reader.join(120)

    assert max(milliseconds) < 1000 * BUSY_SECONDS
    for reader in readers:
        assert reader.sequences == list(range(1, 504))
        # From 2 s after its return on, that is from the 100th event, at full speed again.
        usual = median(latency for sequence, latency in reader.seen if sequence > 353)
        assert usual < 1


def test_without_redis_a_new_listener_is_served_all_the_same(
    servers, mortal_redis, project, viewer
):
    mortal_redis.kill()
    head = write(project.pk, 5)

    with servers[0].follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        later = write(project.pk, 5)
        assert [frame["sequence"] for frame in events(socket, later)] == list(
            range(head + 1, later + 1)
        )


def test_who_does_not_read_costs_no_memory_and_misses_nothing(
    web_server: WebServer, project, viewer
):
    # The client's own pings would end a connection that is not read.
    sockets = [web_server.follow(project.pk, viewer, ping_interval=None) for _ in range(4)]
    opened = [socket.__enter__() for socket in sockets]
    for socket in opened:
        hear_until(socket, "caught_up")
    before = psutil.Process(web_server.process.pid).memory_info().rss

    head = burst(project.pk, batches=10, size=300, padding="x" * 3000)
    with web_server.follow(project.pk, viewer, f"?after={head - 1}") as fast:
        hear_until(fast, "caught_up")
    grown = psutil.Process(web_server.process.pid).memory_info().rss - before

    for socket in opened:
        assert [f["sequence"] for f in events(socket, head)] == list(range(4, head + 1))
    for socket in sockets:
        socket.__exit__(None, None, None)
    # Unread, the four have 38 MB to come.
    assert grown < 25 * 2**20


def test_a_server_that_stops_says_so(django_db_setup, project, viewer):
    server = WebServer()
    with server.follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        threading.Thread(target=server.stop, args=[signal.SIGTERM]).start()
        assert close_code(socket) == 4503
    server.process.wait(20)
