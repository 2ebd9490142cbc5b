"""WebSocket clients that cost next to nothing, so that what is measured is the server."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from audit.stream.protocol import SUBPROTOCOL

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: {subprotocol}\r\nAuthorization: Token {token}\r\n\r\n"
)
TEXT, CLOSE, PING, PONG_FRAME = 1, 8, 9, 10
PONG = b'{"type":"pong"}'
AT_ONCE = 50
CONNECT_SECONDS = 60


class Arrivals(list[tuple[int, float]]):
    """Each event, at each client: its sequence and when it came."""

    def note(self, sequence: int) -> None:
        self.append((sequence, time.time()))


class Client(asyncio.Protocol):
    """Counts the events that it gets in order, those that are missing and those that came twice."""

    def __init__(self, upgrade: str, after: int, arrivals: Arrivals) -> None:
        self.upgrade = upgrade.encode()
        self.is_ready = asyncio.Event()
        self.is_closed = False
        self.transport: Any = None
        self.begin(after, arrivals)
        self._buffer = bytearray()
        self._is_upgraded = False

    def begin(self, after: int, arrivals: Arrivals) -> None:
        self.last, self.arrivals = after, arrivals
        self.received = self.lost = self.doubled = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.upgrade)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_closed = True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._is_upgraded:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert b" 101 " in self._buffer[:20], bytes(self._buffer[:200])
            self._is_upgraded = True
            del self._buffer[: end + 4]
        self._take_frames()

    def _take_frames(self) -> None:
        start, buffer = 0, self._buffer
        while len(buffer) - start >= 2:
            size, begin = buffer[start + 1] & 127, start + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, begin = int.from_bytes(buffer[begin : begin + width], "big"), begin + width
            if len(buffer) < begin + size:
                break
            self._take(buffer[start] & 15, bytes(buffer[begin : begin + size]))
            start = begin + size
        del buffer[:start]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.is_closed = True
        elif opcode == PING:
            self._send(PONG_FRAME, payload)
        elif opcode != TEXT:
            return
        elif payload.startswith(b'{"type":"event"'):
            self._count(payload)
        elif payload.startswith(b'{"type":"caught_up"'):
            self.is_ready.set()
        elif payload.startswith(b'{"type":"ping"'):
            self._send(TEXT, PONG)

    def _send(self, opcode: int, payload: bytes) -> None:
        """A short frame, masked as clients must, with a mask of zeros."""
        self.transport.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    def _count(self, payload: bytes) -> None:
        start = payload.index(b'"sequence":') + 11
        sequence = int(payload[start : payload.index(b",", start)])
        if sequence <= self.last:
            self.doubled += 1
            return
        self.lost += sequence - self.last - 1
        self.last = sequence
        self.received += 1
        self.arrivals.note(sequence)


@asynccontextmanager
async def clients(
    count: int, *, port: int, path: str, token: str, after: int = 0, at_once: int = AT_ONCE
):
    """So many, connected and past their past, which begins `after`."""
    upgrade = UPGRADE.format(port=port, path=path, token=token, subprotocol=SUBPROTOCOL)
    turns, arrivals = asyncio.Semaphore(at_once), Arrivals()
    made: list[Client] = []

    async def open_one() -> None:
        async with turns:
            client = Client(upgrade, after, arrivals)
            made.append(client)
            await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
            await client.is_ready.wait()

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.gather(*(open_one() for _ in range(count)))
        yield made
    finally:
        for client in made:
            if client.transport:
                client.transport.abort()
        await settled(lambda: all(client.is_closed for client in made), 5)


async def settled(fact: Callable[[], bool], seconds: float) -> bool:
    """Poll for a fact, so seldom that it costs nothing."""
    limit = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.005)
    return True


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
