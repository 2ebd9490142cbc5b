"""Connections that notice when the server has fallen silent.

The kernel of a server that is frozen goes on acknowledging what it gets, so neither time-outs of
statements nor those of TCP help. Who waits looks at the clock instead, asks the server for one
byte on a connection of its own, and hangs up if it gets none. A statement that is only slow is left
alone. What was sent may have been done: the outcome is unknown.
"""

import logging
import socket
import struct
import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg.waiting import READY_NONE

from core import heartbeat

logger = logging.getLogger(__name__)

# Every PostgreSQL answers it with one byte before any login.
SSL_REQUEST = struct.pack("!II", 8, 80877103)
ANSWER_SECONDS = 1.0
# After the server gave no answer, others who wait ask so soon.
KNOWN_SECONDS, IMPATIENT_SECONDS = 2.0, 0.3


class Silence:
    """How long this process listens before it asks; None: for ever, as migrations do."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.unanswered_at = float("-inf")

    def limit(self) -> float | None:
        if self.seconds and time.monotonic() - self.unanswered_at < KNOWN_SECONDS:
            return IMPATIENT_SECONDS
        return self.seconds


silence = Silence()


class WatchedConnection(psycopg.Connection[Any]):
    #: Of `core.sql`, which makes it at its first statement.
    statements_cursor: Any = None

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "WatchedConnection":
        # It has a time-out of its own.
        heartbeat.beat()
        return super().connect(*args, **kwargs)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        if timeout is None:
            gen = self._watched(gen, interval)
        return super().wait(gen, interval, timeout)

    def _watched(self, gen: Generator[Any, Any, Any], interval: float) -> Generator[Any, Any, Any]:
        """The same steps; one that brings no news of the server within `interval` is silence."""
        heartbeat.beat()
        silent_since, ask_after = None, None
        try:
            event = next(gen)
            while True:
                ready = yield event
                if ready:
                    silent_since = None
                else:
                    heartbeat.beat()
                    now = time.monotonic()
                    if silent_since is None:
                        silent_since, ask_after = now - interval, silence.limit()
                    silent_seconds = now - silent_since
                    if ask_after is not None and silent_seconds >= ask_after:
                        self.hang_up_unless_it_answers(silent_seconds)
                        ask_after = silent_seconds + ANSWER_SECONDS + (silence.limit() or 0)
                event = gen.send(ready or READY_NONE)
        except StopIteration as end:
            return end.value

    def hang_up_unless_it_answers(self, silent_seconds: float) -> None:
        try:
            answers = server_answers(self.info.host, self.info.port)
        except OSError:
            answers = False
        if answers:
            return
        silence.unanswered_at = time.monotonic()
        logger.warning("database is silent", extra={"seconds": round(silent_seconds, 1)})
        # libpq finds the end of the stream, and reports a lost connection.
        with socket.socket(fileno=socket.dup(self.pgconn.socket)) as own:
            try:
                own.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def server_answers(host: str, port: int) -> bool:
    """Raises OSError where it cannot be reached, or does not answer in time."""
    if host.startswith("/"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWER_SECONDS)
            client.connect(f"{host}/.s.PGSQL.{port}")
            return _gets_a_byte(client)
    with socket.create_connection((host, port), ANSWER_SECONDS) as client:
        return _gets_a_byte(client)


def _gets_a_byte(client: socket.socket) -> bool:
    client.sendall(SSL_REQUEST)
    return bool(client.recv(1))
