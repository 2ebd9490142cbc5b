import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import Error as DatabaseAway

from audit.stream.authentication import Authenticated, find_revoked
from audit.stream.buffer import EventBuffer
from audit.stream.notifier import INBOX_GROUP, group_of
from audit.stream.queries import in_database, read_heads
from core.log_fields import context_of_its_own

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
REVOCATION_SECONDS = 4.0
REJOIN_SECONDS = 1.0
GOODBYE_SECONDS = 1.0
JOIN_TIMEOUT_SECONDS = 1.0
# How many listeners may read their past at a time; the rest of the threads serves the present.
REPLAYS = 3


class HubListener(Authenticated, Protocol):
    async def log_out(self) -> None:
        """The login has ended."""

    async def go_away(self) -> None:
        """The server stops."""


class Hub:
    """All that one server process knows of its projects' streams.

    One channel receives the hints for all; one query every 5 s makes up for lost ones.
    """

    def __init__(self) -> None:
        self.is_closing = False
        self.buffers: dict[UUID, EventBuffer] = {}
        self._replays = asyncio.Semaphore(REPLAYS)
        self._channel: str | None = None
        self._joined: set[UUID] = set()
        self._joining = asyncio.Lock()
        self.inbox_changed = asyncio.Event()
        self.listeners: set[HubListener] = set()
        work = (self._listen, self._poll, self._end_revoked)
        self._tasks = [asyncio.create_task(part(), context=context_of_its_own()) for part in work]

    async def close(self) -> None:
        """For an event loop that ends before its process does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await get_channel_layer().flush()

    async def say_goodbye(self) -> None:
        """The server stops: close codes and answers go out while it still serves them."""
        self.is_closing = True
        for buffer in self.buffers.values():
            buffer.wake_listeners()
        if self.listeners:
            goodbyes = [asyncio.create_task(listener.go_away()) for listener in self.listeners]
            await asyncio.wait(goodbyes, timeout=GOODBYE_SECONDS)

    @asynccontextmanager
    async def buffer(self, project_id: UUID) -> AsyncIterator[EventBuffer]:
        """The project's events, open: first the group was joined, then the head was read."""
        buffer = self.buffers.get(project_id)
        if buffer is None:
            buffer = self.buffers[project_id] = EventBuffer(project_id, self._replays)
        buffer.listeners += 1
        try:
            await self._join_soon()
            await buffer.open()
            yield buffer
        finally:
            buffer.listeners -= 1

    async def _join_soon(self) -> None:
        """Without Redis nobody waits long: until the groups are joined the poll brings the news."""
        if not self.buffers.keys() <= self._joined:
            await asyncio.wait(
                {asyncio.ensure_future(self._join_all())}, timeout=JOIN_TIMEOUT_SECONDS
            )

    async def _join_all(self) -> bool:
        layer = get_channel_layer()
        async with self._joining:
            try:
                if self._channel is None:
                    channel = await layer.new_channel("stream.")
                    await layer.group_add(INBOX_GROUP, channel)
                    self._channel = channel
                for project_id in [*self.buffers]:
                    if project_id not in self._joined:
                        await layer.group_add(group_of(project_id), self._channel)
                        self._joined.add(project_id)
                        # Its buffer may have been opened, and missed hints, before this.
                        if self.buffers[project_id].is_open:
                            await self._check_heads([project_id])
            except Exception as error:
                # Whatever the layer raises without Redis; the next round tries again.
                logger.warning("cannot listen for hints", extra={"error": repr(error)})
                return False
        return True

    async def _listen(self) -> None:
        while True:
            if self._channel is None:
                await self._join_all()
            if self._channel is None:
                await asyncio.sleep(REJOIN_SECONDS)
                continue
            try:
                self._receive(await get_channel_layer().receive(self._channel))
            except Exception as error:
                logger.warning("hint lost", extra={"error": repr(error)})
                await asyncio.sleep(REJOIN_SECONDS)

    def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "stream.inbox":
            self.inbox_changed.set()
            self.inbox_changed = asyncio.Event()
            return
        buffer = self.buffers.get(UUID(message["project"]))
        if buffer is None:
            return
        if message["type"] == "stream.hint":
            buffer.notify(message["epoch"], message["head"])
        else:
            buffer.send_ephemeral(message["content"])

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._forget_unused()
                await self._check_heads([*self.buffers])
            except DatabaseAway as error:
                logger.warning("heads not read", extra={"error": repr(error)})
            if not self.buffers.keys() <= self._joined:
                await self._join_all()

    async def _end_revoked(self) -> None:
        while True:
            await asyncio.sleep(REVOCATION_SECONDS)
            try:
                revoked = (
                    await in_database(find_revoked, [*self.listeners]) if self.listeners else []
                )
            except DatabaseAway as error:
                logger.warning("revoked logins not read", extra={"error": repr(error)})
                continue
            for listener in revoked:
                await listener.log_out()

    async def _check_heads(self, project_ids: list[UUID]) -> None:
        """Compare the heads as we know them with the database."""
        known = {project: self.buffers[project].head for project in project_ids}
        if not known:
            return
        for project_id, head in (await in_database(read_heads, [*known])).items():
            if project_id in self.buffers:
                self.buffers[project_id].confirm(head, known[project_id])

    async def _forget_unused(self) -> None:
        async with self._joining:
            unused = [project for project, buffer in self.buffers.items() if buffer.listeners == 0]
            for project_id in unused:
                del self.buffers[project_id]
                self._joined.discard(project_id)
            await asyncio.wait(
                {asyncio.ensure_future(self._leave(unused))}, timeout=JOIN_TIMEOUT_SECONDS
            )

    async def _leave(self, project_ids: list[UUID]) -> None:
        layer = get_channel_layer()
        try:
            for project_id in project_ids:
                await layer.group_discard(group_of(project_id), self._channel)
        except Exception as error:
            # Hints without a listener are ignored.
            logger.info("groups not left", extra={"error": repr(error)})


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop: one a server process."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


async def say_goodbye() -> None:
    if asyncio.get_running_loop() in _hubs:
        await hub().say_goodbye()
