"""A client of the stream, for the terminal: it resumes where it was, so it misses nothing."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from audit.stream.protocol import SUBPROTOCOL, Close

FINAL = {
    Close.BAD_MESSAGE: "The server did not understand the request.",
    Close.NOT_LOGGED_IN: "Not logged in: the token is wrong, or has ended.",
    Close.NOT_ALLOWED: "You may not see this project (any more).",
    Close.NOT_FOUND: "There is no such project, or you may not see it.",
    Close.WRONG_SUBPROTOCOL: "The server speaks another version of the protocol.",
}
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
SILENCE_SECONDS = 60.0


class Refused(Exception):
    """The server refuses for good: another try would fail as well."""


@dataclass
class Follower:
    """`headers` is asked at each connection, so that a login may be renewed."""

    base_url: str
    project: str
    headers: Callable[[], dict[str, str]]
    notice: Callable[[str], None]
    after: int = 0
    epoch: str | None = None
    _failures: int = 0

    def frames(self, *, is_live: bool) -> Iterator[dict[str, Any]]:
        """Every event after `after`, in order, each once; endless if live. Raises Refused."""
        while True:
            try:
                for frame in self._connection_frames():
                    if frame["type"] == "event":
                        yield frame["event"]
                    elif frame["type"] == "caught_up" and not is_live:
                        return
            except ConnectionClosed as closed:
                self._check_final(closed)
            except (OSError, InvalidHandshake, TimeoutError) as error:
                self._pause(f"No connection to {self.base_url}: {error}")

    def _connection_frames(self) -> Iterator[dict[str, Any]]:
        with connect(
            self._url(),
            additional_headers=self.headers(),
            subprotocols=[SUBPROTOCOL],
            max_size=None,
            open_timeout=10,
        ) as socket:
            while True:
                frame = json.loads(socket.recv(timeout=SILENCE_SECONDS))
                self._take(frame, socket)
                yield frame

    def _take(self, frame: dict[str, Any], socket: ClientConnection) -> None:
        match frame["type"]:
            case "subscribed":
                self.epoch, self.after, self._failures = frame["epoch"], frame["from"], 0
            case "event":
                self.after = frame["sequence"]
            case "reset":
                self.notice(f"The log is another one now ({frame['reason']}); from its start:")
            case "ping":
                socket.send('{"type":"pong"}')
            case "error":
                self.notice(frame["detail"])

    def _url(self) -> str:
        base = urlsplit(self.base_url)
        scheme = {"http": "ws", "https": "wss"}.get(base.scheme, base.scheme)
        position = {"after": self.after} | ({"epoch": self.epoch} if self.epoch else {})
        path = f"{base.path.rstrip('/')}/ws/projects/{self.project}/"
        return base._replace(scheme=scheme, path=path, query=urlencode(position)).geturl()

    def _check_final(self, closed: ConnectionClosed) -> None:
        code = closed.rcvd.code if closed.rcvd else None
        if code in FINAL:
            raise Refused(FINAL[Close(code)]) from None
        self._pause(f"The connection was lost ({code or 'without a word'}).")

    def _pause(self, why: str) -> None:
        """Full jitter, so that all who lost the same server do not come back at once."""
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self._failures)
        self._failures += 1
        if self._failures > 1:
            self.notice(f"{why} Trying again.")
        time.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, no secret
