"""A real server process and real sockets to it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from rest_framework.authtoken.models import Token
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from agents.events import TASK_PROGRESS
from audit.actors import Actor
from audit.services import Draft, record, record_all

SUBPROTOCOL = "paraph.events.v1"
# How long a machine with other work may keep a server or a test from what is due.
BUSY_SECONDS = 10
LISTENING = re.compile(r"Listening on TCP address 127\.0\.0\.1:(\d+)")


class Daphne:
    """The product's server on a free port, with the database of the tests."""

    def __init__(self, port: int = 0, **environment: str) -> None:
        self._is_listening = threading.Event()
        self._lines: list[str] = []
        command = [sys.executable, "-m", "daphne", "-e", f"tcp:{port}:interface=127.0.0.1"]
        command += ["--access-log", os.devnull]
        self.process = subprocess.Popen(
            [*command, "orchestrator.asgi:application"],
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


class MortalDaphne:
    """A server that is killed, and comes back on the same port."""

    def __init__(self) -> None:
        self.server = Daphne()
        self.url = self.server.url

    def kill(self) -> None:
        self.server.stop(signal.SIGKILL)

    def start(self) -> None:
        self.server = Daphne(port=self.server.port)

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
    return Token.objects.get_or_create(user=user)[0].key


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
