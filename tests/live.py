"""Real processes of the product: web servers and sockets to them, workers with their scheduler."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from redis import Redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from accounts.models import PersonalToken
from agents.events import TASK_PROGRESS
from audit.actors import Actor
from audit.services import Draft, record, record_all
from core.authentication import Scope, hash_key

SUBPROTOCOL = "paraph.events.v1"
# How long a machine with other work may keep a server or a test from what is due.
BUSY_SECONDS = 10
# With this, SIGTERM lets a prefork worker finish for a while and then hand back the rest.
SOFT_SHUTDOWN = {"REMAP_SIGTERM": "SIGQUIT"}
WORKER_OPTIONS = ["-Q", "engine,agents,sweep", "--without-gossip", "--without-mingle", "--beat"]
STOP_SECONDS = 20
LONG_SECONDS = 50
T = TypeVar("T")
LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")


class WebServer:
    """The product's server on a free port, with the database of the tests."""

    def __init__(self, port: int = 0, **environment: str) -> None:
        self._is_listening = threading.Event()
        self._lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.server", "--port", str(port)],
            env=os.environ
            # Its port is in a message of that level.
            | {"DATABASE_URL": test_database_url(), "LOG_LEVEL": "INFO"}
            | environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._follow_log, daemon=True).start()
        assert self._is_listening.wait(90), self.output()

    def _follow_log(self) -> None:
        for line in self.process.stderr:
            self._lines.append(line)
            if found := LISTENING.search(line):
                self.port = int(found[1])
                self._is_listening.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def output(self) -> str:
        return "".join(self._lines)

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)

    def connect(self, path: str, user: User | None = None, **options: Any):
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Token {token_of(user)}"
        url = f"ws://127.0.0.1:{self.port}{path}"
        return connect(url, additional_headers=headers, max_size=None, **options)

    def follow(self, project_id: Any, user: User, query: str = "", **options: Any):
        return self.connect(f"/ws/projects/{project_id}/{query}", user, **options)

    def stream(self, user: User | None) -> "Stream":
        """`/ws/`, past its handshake."""
        stream = Stream(self.connect("/ws/", user, subprotocols=[SUBPROTOCOL]))
        stream.say("connection_init")
        assert stream.hear()["type"] == "connection_ack"
        return stream


class MortalWebServer:
    """A server that is killed, and comes back on the same port."""

    def __init__(self) -> None:
        self.server = WebServer()
        self.url = self.server.url

    def kill(self) -> None:
        self.server.stop(signal.SIGKILL)

    def start(self) -> None:
        self.server = WebServer(port=self.server.port)

    def follow(self, *arguments: Any, **options: Any):
        return self.server.follow(*arguments, **options)


@contextmanager
def bounded(command: list[Any], seconds: float, **environment: str) -> Iterator[subprocess.Popen]:
    """A program whose output is read; killed when it takes too long, or at the end."""
    program = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    timer = threading.Timer(seconds, program.kill)
    timer.start()
    try:
        yield program
    finally:
        timer.cancel()
        program.kill()
        program.wait(20)


class Stream:
    def __init__(self, connecting: AbstractContextManager[ClientConnection]) -> None:
        self._connecting = connecting
        self.socket = connecting.__enter__()

    def say(self, kind: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": kind} | fields))

    def hear(self, timeout: float = 40) -> dict[str, Any]:
        return hear(self.socket, timeout)

    def close(self) -> None:
        self._connecting.__exit__(None, None, None)


def test_database_url() -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


test_database_url.__test__ = False


def token_of(user: User) -> str:
    """A key with all scopes, always the same; its use is noted already."""
    key = f"paraph_test_{user.pk}"
    if not PersonalToken.objects.filter(key_hash=hash_key(key)).exists():
        now = timezone.now()
        PersonalToken.objects.create_for(
            user,
            key,
            name="Tests",
            scopes=Scope.values,
            expires_at=now + timedelta(hours=1),
            last_used_at=now,
        )
    return key


def session_cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def hear(socket: ClientConnection, timeout: float = 40) -> dict[str, Any]:
    return json.loads(socket.recv(timeout=timeout))


def hear_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """All frames up to the first of this kind, that one included."""
    frames = [hear(socket)]
    while frames[-1]["type"] != kind:
        frames.append(hear(socket))
    return frames


def events(socket: ClientConnection, up_to: int) -> Iterator[dict[str, Any]]:
    """The events that arrive, until the one with this sequence."""
    while True:
        frame = hear(socket)
        if frame["type"] == "event":
            yield frame
            if frame["sequence"] >= up_to:
                return


def close_code(socket: ClientConnection) -> int:
    """The code with which the server closes, whatever it sends before."""
    try:
        while True:
            socket.recv(timeout=40)
    except ConnectionClosed as closed:
        return closed.rcvd.code


def write(project_id: Any, count: int = 1, **data: Any) -> int:
    """Record events, one transaction each; the last one's sequence."""
    head = 0
    for number in range(count):
        with transaction.atomic():
            head = record(
                project_id=project_id,
                event_type=TASK_PROGRESS,
                actor=Actor.of_system("test"),
                data={"number": number} | data,
            )
    return head


def burst(project_id, *, batches: int, size: int, padding: str) -> int:
    """Record events, many in each transaction; the last one's sequence."""
    draft = Draft(TASK_PROGRESS, Actor.of_system("test"), {"padding": padding})
    head = 0
    for _ in range(batches):
        with transaction.atomic():
            head = record_all(project_id, [draft] * size)
    return head


def eventually(fact: Callable[[], T], seconds: float = LONG_SECONDS) -> T:
    """What the fact becomes once it is one."""
    limit = time.monotonic() + seconds
    while not (value := fact()):
        assert time.monotonic() < limit, "it did not become so"
        time.sleep(0.05)
    return value


def empty_queues() -> None:
    """What other tests rang for in vain, and what workers that were killed had not acknowledged."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with contextlib.closing(Redis.from_url(settings.REDIS_URL)) as redis:
        names = ("engine", "agents", "sweep", "unacked", "unacked_index")
        redis.delete(*(f"{prefix}{name}" for name in names))


class Worker:
    """A process group of its own, so that a kill takes all of it.

    `threads` is how many tasks it works on at once in one process, in place of `processes`.
    """

    def __init__(
        self, folder: Path, *, processes: int = 2, threads: int = 0, **environment: str
    ) -> None:
        command = [sys.executable, "-m", "celery", "-A", "orchestrator", "worker", *WORKER_OPTIONS]
        own = ["-c", str(threads or processes), "-P", "threads" if threads else "prefork"]
        own += ["-s", str(folder / "beat"), "-n", f"{folder.name}@test"]
        self.log = folder / "worker.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *own, "-l", "INFO"],
                env=os.environ
                | {
                    "DATABASE_URL": test_database_url(),
                    "DJANGO_SETTINGS_MODULE": "tests.end_to_end.quick_settings",
                }
                | SOFT_SHUTDOWN
                | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text()

    def is_ready(self) -> bool:
        return " ready." in self.output()

    def kill(self) -> None:
        """Parent, children and scheduler at once, as a lost machine is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """By SIGTERM, as an operator does."""
        self.process.terminate()
        self.process.wait(STOP_SECONDS)
