"""What a connection has subscribed to: a project's events, or the inbox of a person."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from audit.event_types import EventType
from audit.metrics import DELIVERIES
from audit.stream.buffer import EventBuffer, Restarted
from audit.stream.hub import hub
from audit.stream.protocol import event_frame, frame, limits
from audit.stream.queries import in_database
from core.failpoints import failpoint

# A lost hint about an inbox is made good after this long; several in a row are one read.
INBOX_REREAD_SECONDS = 30.0
INBOX_COLLECT_SECONDS = 0.2


class NotVisible(Exception):
    """The listener may not see the project, or not any more."""


class Stalled(Exception):
    """The client did not read, or not acknowledge, for too long."""


def with_time_limit(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """A server lets `send` wait while its client does not read. This ends it: raises Stalled."""

    async def send_in_time(message: Any) -> None:
        try:
            async with asyncio.timeout(limits().stalled_seconds):
                await send(message)
        except TimeoutError:
            raise Stalled from None

    return send_in_time


@dataclass(frozen=True)
class Position:
    """Where a listener wants to go on. `epoch` None: whatever it is now."""

    after: int = 0
    epoch: str | None = None

    def why_reset(self, epoch: str, head: int) -> str | None:
        """Why a log with this epoch and head has no such position; None if it has."""
        if self.epoch is not None and self.epoch != epoch and epoch:
            return "epoch_changed"
        return "ahead_of_head" if self.after > head else None


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
    buffer: EventBuffer | None = None
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
        async with hub().buffer(self.project_id) as self.buffer:
            position = self.position
            while True:
                position = await self._begin(self.buffer, position)
                try:
                    with self.buffer.ephemeral_listener(self._send_ephemeral):
                        await self._deliver(self.buffer)
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

    def _send_ephemeral(self, content: dict[str, Any]) -> None:
        """Only to clients that are up to date."""
        if self.is_caught_up and self.cursor == self.buffer.head.sequence:
            self.send_soon(frame("ephemeral", id=self.id, content=content))

    async def _begin(self, buffer: EventBuffer, position: Position) -> Position:
        """Say where it goes on; after a `reset` from the start, if there is no such position."""
        epoch, head = buffer.head
        if position.why_reset(epoch, head):
            # The client may know more than this process has read so far.
            epoch, head = await buffer.refresh_head()
        # Of this head: a restart while we tell a slow client must not go unnoticed.
        self._generation = buffer.generation
        reason = position.why_reset(epoch, head)
        if reason:
            await self.send(frame("reset", id=self.id, reason=reason, epoch=epoch, head=head))
        start = 0 if reason else position.after
        self.cursor = self._last_sent = start
        self.head, self.is_caught_up = head, False
        self._unacknowledged.clear()
        subscribed = {"project": str(self.project_id), "epoch": epoch, "head": head, "from": start}
        await self.send(frame("subscribed", id=self.id, **subscribed, recovered=not reason))
        self.is_begun = True
        return Position(start, epoch or None)

    async def _deliver(self, buffer: EventBuffer) -> None:
        id_json = json.dumps(self.id)
        await self._send_caught_up()
        while True:
            items = await buffer.next_page(self.cursor, self._generation)
            if any(EventType.named(item.event_type).changes_access for item in items):
                await self.check_visible()
            delivered = 0
            for item in items:
                if self.types is None or item.event_type in self.types:
                    await self._wait_for_room()
                    if self.window:
                        # Before it is sent: the answer may be here before `send` returns.
                        self._unacknowledged.append(item.sequence)
                    is_replay = item.sequence <= self.head
                    if is_replay:
                        failpoint("in_replay")
                    previous = None if self.types is None else self._last_sent
                    await self.send(event_frame(id_json, item, replay=is_replay, previous=previous))
                    self._last_sent = item.sequence
                    delivered += 1
                self.cursor = item.sequence
                await self._send_caught_up()
            DELIVERIES.inc(delivered)
            # Sending to a fast client never suspends; the others want their turn.
            await asyncio.sleep(0)

    async def _send_caught_up(self) -> None:
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


InboxSource = Callable[[Any], list[dict[str, Any]]]
_inbox_sources: list[InboxSource] = []


def register_inbox(source: InboxSource | None) -> None:
    """What waits for a user, as JSON objects, by a short read. An app above this one knows it."""
    _inbox_sources[:] = [source] if source else []


def inbox_source() -> InboxSource | None:
    return _inbox_sources[0] if _inbox_sources else None


@dataclass
class InboxSubscription:
    """Sends what waits for a person, whole, whenever it changes: no sequence, and no past."""

    id: str
    user: Any
    send: Callable[[str], Awaitable[None]]

    async def run(self) -> None:
        source, sent = inbox_source(), None
        while True:
            changed = hub().inbox_changed
            items = await in_database(source, self.user)
            if items != sent:
                await self.send(frame("inbox", id=self.id, items=items))
                sent = items
            try:
                await asyncio.wait_for(changed.wait(), INBOX_REREAD_SECONDS)
                await asyncio.sleep(INBOX_COLLECT_SECONDS)
            except TimeoutError:
                pass

    def acknowledge(self, sequence: int) -> None:
        """Nothing to acknowledge: each frame replaces the one before."""
