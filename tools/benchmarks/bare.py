"""The floor of the stream: Channels with nothing of ours in the way.

As a program it sends: `bare.py COUNT PER_SECOND COMMITS`; of stdin it learns what has arrived; it
prints when it sent each. With COMMITS 1 each message follows a durable INSERT.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tools.benchmarks.settings")

import django
import psycopg

django.setup()

from channels.consumer import AsyncConsumer  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402

from audit.stream.protocol import SUBPROTOCOL  # noqa: E402
from tools.benchmarks.stack import owner_url  # noqa: E402

GROUP = "bench"
# Below the capacity of a channel, 100: more would be dropped.
IN_FLIGHT = 50
# About what one of our events has.
PADDING = "x" * 500


class BareConsumer(AsyncWebsocketConsumer):
    groups = [GROUP]

    async def connect(self) -> None:
        await self.accept(SUBPROTOCOL)
        await self.send('{"type":"caught_up"}')

    async def dispatch(self, message: dict[str, Any]) -> None:
        # As our listeners: without the visit to the database thread for each message.
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def bench_event(self, message: dict[str, Any]) -> None:
        await self.send(message["text"])


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    consumer: AsyncConsumer = BareConsumer()
    await consumer(scope, receive, send)


def text_of(sequence: int) -> str:
    frame = {"type": "event", "sequence": sequence, "event": {"data": PADDING}}
    return json.dumps(frame, separators=(",", ":"))


async def send(count: int, per_second: float, commits: bool) -> None:
    layer, arrived = get_channel_layer(), await arrivals()
    scratch = await psycopg.AsyncConnection.connect(owner_url(), autocommit=True)
    await scratch.execute("CREATE TABLE IF NOT EXISTS bench_messages (sequence int, body text)")
    start = time.monotonic()
    times: list[tuple[int, float]] = []
    for sequence in range(1, count + 1):
        if per_second:
            await asyncio.sleep(start + sequence / per_second - time.monotonic())
        while sequence - arrived.count > IN_FLIGHT and await arrived.more():
            pass
        if commits:
            await scratch.execute("INSERT INTO bench_messages VALUES (%s, %s)", [sequence, PADDING])
        times.append((sequence, time.time()))
        await layer.group_send(GROUP, {"type": "bench.event", "text": text_of(sequence)})
    for sequence, at in times:
        print(sequence, at)


class Arrived:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader, self.count = reader, 0

    async def more(self) -> bool:
        """False where nothing arrives any more: what is missing was dropped."""
        try:
            line = await asyncio.wait_for(self.reader.readline(), 0.5)
        except TimeoutError:
            return False
        self.count = int(line or self.count)
        return bool(line)


async def arrivals() -> Arrived:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return Arrived(reader)


if __name__ == "__main__":
    asyncio.run(send(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "1"))
