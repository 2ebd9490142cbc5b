import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import Error as DatabaseAway

from audit.stream.buffer import Feed
from audit.stream.database import in_database
from audit.stream.notifier import INBOX_GROUP, group_of
from audit.stream.queries import read_heads
from audit.stream.revocation import Watched, find_ended
from audit.stream.shutdown import before_shutdown
from core.log_fields import detached_context

logger = logging.getLogger(__name__)

POLL_SECONDS = 5.0
WATCH_SECONDS = 4.0
REJOIN_SECONDS = 1.0
LAST_WORD_SECONDS = 0.2
JOIN_TIMEOUT_SECONDS = 1.0
# How many listeners may read their past at a time; the rest of the threads serves the present.
REPLAYS = 3


class Listening(Watched, Protocol):
    async def log_out(self) -> None:
        """The login has ended."""

    async def go_away(self) -> None:
        """The server stops."""


class Hub:
    """All that one server process knows of its projects' streams.

    One channel hears the hints of all, one query every 5 s makes good those that were lost.
    """

    def __init__(self) -> None:
        self.feeds: dict[UUID, Feed] = {}
        self._replays = asyncio.Semaphore(REPLAYS)
        self._channel: str | None = None
        self._joined: set[UUID] = set()
        self._joining = asyncio.Lock()
        self.inbox_changed = asyncio.Event()
        self.listeners: set[Listening] = set()
        work = (self._listen, self._poll, self._watch)
        self._tasks = [asyncio.create_task(part(), context=detached_context()) for part in work]
        before_shutdown(self._say_goodbye)

    async def close(self) -> None:
        """For an event loop that ends before its process does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await get_channel_layer().flush()

    async def _say_goodbye(self) -> None:
        for listener in [*self.listeners]:
            await listener.go_away()
        # What was written is on its way only a moment later.
        await asyncio.sleep(LAST_WORD_SECONDS)

    @asynccontextmanager
    async def feed(self, project_id: UUID) -> AsyncIterator[Feed]:
        """The project's feed, open: first the group was joined, then the head was read."""
        feed = self.feeds.get(project_id)
        if feed is None:
            feed = self.feeds[project_id] = Feed(project_id, self._replays)
        feed.listeners += 1
        try:
            await self._join_soon()
            await feed.open()
            yield feed
        finally:
            feed.listeners -= 1

    async def _join_soon(self) -> None:
        """Without Redis nobody waits long: until the groups are joined the poll brings the news."""
        if not self.feeds.keys() <= self._joined:
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
                for project_id in [*self.feeds]:
                    if project_id not in self._joined:
                        await layer.group_add(group_of(project_id), self._channel)
                        self._joined.add(project_id)
                        await self._look_again(project_id)
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
                self._hear(await get_channel_layer().receive(self._channel))
            except Exception as error:
                logger.warning("hint lost", extra={"error": repr(error)})
                await asyncio.sleep(REJOIN_SECONDS)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "stream.inbox":
            self.inbox_changed.set()
            self.inbox_changed = asyncio.Event()
            return
        feed = self.feeds.get(UUID(message["project"]))
        if feed is None:
            return
        if message["type"] == "stream.hint":
            feed.hint(message["epoch"], message["head"])
        else:
            feed.show(message["content"])

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self._forget_the_unheard()
                await self._look([*self.feeds])
            except DatabaseAway as error:
                logger.warning("poll failed", extra={"error": repr(error)})
            if not self.feeds.keys() <= self._joined:
                await self._join_all()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                ended = await in_database(find_ended, [*self.listeners]) if self.listeners else []
            except DatabaseAway as error:
                logger.warning("watch failed", extra={"error": repr(error)})
                continue
            for listener in ended:
                await listener.log_out()

    async def _look_again(self, project_id: UUID) -> None:
        """Joined late: what happened before that was not heard."""
        if project_id in self.feeds and self.feeds[project_id].is_open:
            await self._look([project_id])

    async def _look(self, project_ids: list[UUID]) -> None:
        """Hold what we know of the heads against the database."""
        known = {project: self.feeds[project].head for project in project_ids}
        if not known:
            return
        for project_id, head in (await in_database(read_heads, [*known])).items():
            if project_id in self.feeds:
                self.feeds[project_id].confirm(head, known[project_id])

    async def _forget_the_unheard(self) -> None:
        async with self._joining:
            unheard = [project for project, feed in self.feeds.items() if feed.listeners == 0]
            for project_id in unheard:
                del self.feeds[project_id]
                self._joined.discard(project_id)
            await asyncio.wait(
                {asyncio.ensure_future(self._leave(unheard))}, timeout=JOIN_TIMEOUT_SECONDS
            )

    async def _leave(self, project_ids: list[UUID]) -> None:
        layer = get_channel_layer()
        try:
            for project_id in project_ids:
                await layer.group_discard(group_of(project_id), self._channel)
        except Exception as error:
            # A hint that nobody wants is ignored.
            logger.info("groups not left", extra={"error": repr(error)})


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop: one a server process."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
