"""A load balancer in front of the web servers, small enough to misbehave on command."""

import asyncio
import contextlib
import random
from collections.abc import Iterable

CHUNK = 16 * 1024


class Proxy:
    def __init__(self, backends: Iterable[int]) -> None:
        self.backends = [*backends]
        self.port = 0
        self.cuts_after: tuple[int, int] | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._links: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._chance = random.Random(0)

    async def start(self, seed: int) -> None:
        self._chance.seed(seed)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]

    def cut(self, share: float = 1.0) -> int:
        """End connections without a word, each with this chance; how many."""
        doomed = [link for link in self._links if self._chance.random() < share]
        for link in doomed:
            for writer in link:
                writer.transport.abort()
        return len(doomed)

    def stall(self) -> None:
        """Connections stay, nothing gets through."""
        self._open.clear()

    def flow(self) -> None:
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await self._connect()
        if behind is None:
            writer.transport.abort()
            return
        link = (writer, behind[1])
        self._links.add(link)
        limit = self._chance.randint(*self.cuts_after) if self.cuts_after else None
        try:
            await asyncio.gather(
                self._pump(reader, behind[1], None), self._pump(behind[0], writer, limit)
            )
        finally:
            self._links.discard(link)
            for one in link:
                one.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """The next server that takes the connection."""
        self.backends.append(self.backends.pop(0))
        for port in self.backends[::-1]:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return None

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                await self._open.wait()
                if limit is not None and (limit := limit - len(chunk)) <= 0:
                    writer.write(chunk[:limit])
                    writer.transport.abort()
                    return
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            # Else the other end would wait for an answer that nobody writes any more.
            writer.transport.abort()
