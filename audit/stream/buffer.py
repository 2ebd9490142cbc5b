import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError

from audit.stream.queries import Head, Item, Page, in_database, read_heads, read_page
from core.log_fields import context_of_its_own

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

PAGE_SIZE = 500
MAX_EVENTS = 500
FIRST_EVENTS = 200
DATABASE_RETRY_SECONDS = 1.0


class Restarted(Exception):
    """The stream is not the one that was being read: another epoch, or its head went back."""


class EventBuffer:
    """One project's log, as this process has read it: the newest events, once for all who listen.

    Who is further behind reads pages of the database; nobody's backlog is kept here.
    """

    def __init__(self, project_id: UUID, replays: asyncio.Semaphore) -> None:
        self.project_id = project_id
        self.head = Head("", 0)
        # Counts what invalidates every listener's position.
        self.generation = 0
        self.listeners = 0
        self.is_open = False
        self._replays = replays
        self._items: list[Item] = []
        self._floor = 0
        self._announced = 0
        self._must_check = False
        self._reader: asyncio.Task | None = None
        self._opening: asyncio.Task | None = None
        self._changed = asyncio.Event()
        self._ephemeral_listeners: set[Callable[[dict[str, Any]], None]] = set()

    async def open(self) -> None:
        """Take the position at the head. The group must have been joined before."""
        if self._opening is None:
            self._opening = self._start(self._open())
        await asyncio.shield(self._opening)

    def _start(self, work: Coroutine) -> asyncio.Task:
        """In a context of its own: it is done for all listeners, not for the first one."""
        context = context_of_its_own(project=str(self.project_id))
        return asyncio.create_task(work, context=context)

    async def _open(self) -> None:
        """The newest events are read at once: most who reconnect have missed no others."""
        heads = await self._read(read_heads, [self.project_id])
        head = heads.get(self.project_id, Head("", 0))
        floor = max(0, head.sequence - FIRST_EVENTS)
        page: Page = await self._read(read_page, self.project_id, floor, PAGE_SIZE)
        if page.epoch != head.epoch:
            # Restored between the two reads.
            await self._open()
            return
        end = page.items[-1].sequence if page.items else 0
        self.head, self._floor, self._items = Head(head.epoch, end), floor, page.items
        self.is_open = True
        self._wake_reader()

    def notify(self, epoch: str, sequence: int) -> None:
        """A hint where the head is. It is never believed, only looked into."""
        self._announced = max(self._announced, sequence)
        self._must_check |= epoch != self.head.epoch
        self._wake_reader()

    @contextmanager
    def ephemeral_listener(self, listener: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """The listener gets ephemeral messages as they come; it must not wait."""
        self._ephemeral_listeners.add(listener)
        try:
            yield
        finally:
            self._ephemeral_listeners.discard(listener)

    def send_ephemeral(self, content: dict[str, Any]) -> None:
        for listener in self._ephemeral_listeners:
            listener(content)

    def confirm(self, head: Head, known: Head) -> None:
        """The head as the database has it; `known` is what we had before it was asked."""
        if not self.head.epoch:
            self.head = Head(head.epoch, self.head.sequence)
        if head.epoch != self.head.epoch or head.sequence < known.sequence:
            self._restart(head)
        elif head.sequence > self.head.sequence:
            self.notify(head.epoch, head.sequence)

    async def refresh_head(self) -> Head:
        """The head in the database, now."""
        known = self.head
        heads = await self._read(read_heads, [self.project_id])
        head = heads.get(self.project_id, known)
        self.confirm(head, known)
        return head

    async def changed(self) -> None:
        """Wait until events were read, or the stream restarted."""
        await self._changed.wait()

    async def next_page(self, after: int, generation: int) -> list[Item]:
        """The events that follow `after`, as many as fit a page; waits until there are some.

        Raises Restarted when `generation` is over.
        """
        while generation == self.generation:
            if after < self._floor:
                page = await self._replay(after)
                if page and generation == self.generation:
                    return page
            elif after < self.head.sequence:
                start = after - self._floor
                return self._items[start : start + PAGE_SIZE]
            else:
                await self.changed()
        raise Restarted

    async def _replay(self, after: int) -> list[Item]:
        async with self._replays:
            page = await self._read(read_page, self.project_id, after, PAGE_SIZE)
        if page.epoch != self.head.epoch:
            await self.refresh_head()
        if not page.items:
            logger.error("events missing", extra={"project": str(self.project_id), "after": after})
            await asyncio.sleep(DATABASE_RETRY_SECONDS)
        return page.items

    def _wake_reader(self) -> None:
        is_behind = self._must_check or self._announced > self.head.sequence
        if self.is_open and is_behind and self._reader is None:
            self._reader = self._start(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while self._must_check or self._announced > self.head.sequence:
                if self._must_check:
                    self._must_check = False
                    await self.refresh_head()
                elif not await self._read_on():
                    # The hint was ahead of what is there.
                    self._announced = self.head.sequence
        finally:
            self._reader = None

    async def _read_on(self) -> bool:
        known = self.head
        page: Page = await self._read(read_page, self.project_id, known.sequence, PAGE_SIZE)
        if not page.items or known != self.head:
            return False
        if page.epoch != known.epoch:
            self._must_check = True
            return True
        self._items += page.items
        self.head = Head(known.epoch, page.items[-1].sequence)
        surplus = len(self._items) - MAX_EVENTS
        if surplus > 0:
            del self._items[:surplus]
            self._floor += surplus
        self.wake_listeners()
        return True

    def _restart(self, head: Head) -> None:
        logger.warning(
            "stream restarted",
            extra={"project": str(self.project_id), "epoch": head.epoch, "head": head.sequence},
        )
        self.head, self._floor, self._items = head, head.sequence, []
        self._announced = head.sequence
        self.generation += 1
        self.wake_listeners()

    def wake_listeners(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _read(self, read: Callable[..., Result], *args: Any) -> Result:
        """Waits for a database that is away: the listeners stay connected and miss nothing."""
        while True:
            try:
                return await in_database(read, *args)
            except (OperationalError, InterfaceError) as error:
                logger.warning("database away", extra={"error": repr(error)})
                await asyncio.sleep(DATABASE_RETRY_SECONDS)
