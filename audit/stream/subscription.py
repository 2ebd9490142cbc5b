import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from audit.event_types import EventType
from audit.metrics import DELIVERIES
from audit.stream.backpressure import Stalled
from audit.stream.buffer import Feed, Restarted
from audit.stream.database import in_database
from audit.stream.hub import hub
from audit.stream.limits import limits
from audit.stream.protocol import event_frame, frame
from audit.stream.queries import Item
from core.failpoints import fault_point


class NotVisible(Exception):
    """The listener may not see the project, or not any more."""


@dataclass(frozen=True)
class Position:
    """Where a listener wants to go on. `epoch` None: whatever it is now."""

    after: int = 0
    epoch: str | None = None


@dataclass
class Subscription:
    """One listener of one project. Replay and live are the same loop, from its own cursor."""

    id: str
    project_id: UUID
    position: Position
    send: Callable[[str], Awaitable[None]]
    send_soon: Callable[[str], None]
    may_see: Callable[[UUID], bool]
    types: frozenset[str] | None = None
    window: int | None = None
    feed: Feed | None = None
    cursor: int = 0
    head: int = 0
    is_begun: bool = False
    is_caught_up: bool = False
    _unacknowledged: deque[int] = field(default_factory=deque)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _last_sent: int = 0
    _generation: int = 0

    async def run(self) -> None:
        """Deliver until cancelled. Raises NotVisible, Stalled."""
        await self.check_visible()
        async with hub().feed(self.project_id) as self.feed:
            feed = self.feed
            position = self.position
            while True:
                position = await self._begin(feed, position)
                try:
                    with feed.looked_at(self._show):
                        await self._deliver(feed)
                except Restarted:
                    position = Position(self.cursor, position.epoch)

    async def check_visible(self) -> None:
        if not await in_database(self.may_see, self.project_id):
            raise NotVisible

    def acknowledge(self, sequence: int) -> None:
        """Everything up to `sequence` has arrived."""
        while self._unacknowledged and self._unacknowledged[0] <= sequence:
            self._unacknowledged.popleft()
        self._room.set()

    def _show(self, content: dict[str, Any]) -> None:
        """In passing: not to who is still reading the past."""
        if self.is_caught_up and self.cursor == self.feed.head.sequence:
            self.send_soon(frame("ephemeral", id=self.id, content=content))

    async def _begin(self, feed: Feed, wanted: Position) -> Position:
        """Say where it goes on; after a `reset` from the start, if there is no such position."""
        epoch, head = feed.head
        if _refusal(wanted, epoch, head):
            # The client may know more than this process has read so far.
            epoch, head = await feed.ask_head()
        # Of this head: a restart while we tell a slow client must not go unnoticed.
        self._generation = feed.generation
        reason = _refusal(wanted, epoch, head)
        if reason:
            await self.send(frame("reset", id=self.id, reason=reason, epoch=epoch, head=head))
        start = 0 if reason else wanted.after
        self.cursor = self._last_sent = start
        self.head, self.is_caught_up = head, False
        self._unacknowledged.clear()
        subscribed = {"project": str(self.project_id), "epoch": epoch, "head": head, "from": start}
        await self.send(frame("subscribed", id=self.id, **subscribed, recovered=not reason))
        self.is_begun = True
        return Position(start, epoch or None)

    async def _deliver(self, feed: Feed) -> None:
        while True:
            await self._say_caught_up()
            items = await feed.next_page(self.cursor, self._generation)
            if any(EventType.named(item.event_type).changes_access for item in items):
                await self.check_visible()
            delivered = 0
            for item in items:
                delivered += await self._pass_on(item)
            DELIVERIES.inc(delivered)
            # Sending to a fast client never suspends; the others want their turn.
            await asyncio.sleep(0)

    async def _pass_on(self, item: Item) -> bool:
        """Whether it was one of the wanted types."""
        is_wanted = self.types is None or item.event_type in self.types
        if is_wanted:
            await self._wait_for_room()
            if self.window:
                # Before it is sent: the answer may be here before `send` returns.
                self._unacknowledged.append(item.sequence)
            previous = None if self.types is None else self._last_sent
            is_replay = item.sequence <= self.head
            if is_replay:
                fault_point("in_replay")
            id_json = json.dumps(self.id)
            await self.send(event_frame(id_json, item, replay=is_replay, previous=previous))
            self._last_sent = item.sequence
        self.cursor = item.sequence
        await self._say_caught_up()
        return is_wanted

    async def _say_caught_up(self) -> None:
        if not self.is_caught_up and self.cursor >= self.head:
            self.is_caught_up = True
            await self.send(frame("caught_up", id=self.id, sequence=self.cursor))

    async def _wait_for_room(self) -> None:
        while self.window and len(self._unacknowledged) >= self.window:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), limits().stalled_seconds)
            except TimeoutError:
                raise Stalled from None


def _refusal(wanted: Position, epoch: str, head: int) -> str | None:
    if wanted.epoch is not None and wanted.epoch != epoch and epoch:
        return "epoch_changed"
    return "ahead_of_head" if wanted.after > head else None
