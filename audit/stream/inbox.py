"""What waits for a person, over all their projects; the app above that knows it registers it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from audit.stream.database import in_database
from audit.stream.hub import hub
from audit.stream.protocol import frame

# A lost hint is made good after this long; many in a row are one read.
REREAD_SECONDS = 30.0
COLLECT_SECONDS = 0.2


InboxSource = Callable[[Any], list[dict[str, Any]]]
_sources: list[InboxSource] = []


def register_inbox(source: InboxSource | None) -> None:
    """From a user to JSON objects, by a short read; in place of an earlier one."""
    _sources[:] = [source] if source else []


def inbox_source() -> InboxSource | None:
    return _sources[0] if _sources else None


class InboxSubscription:
    """Says what waits, whole, each time that it changes; there is no sequence and no past."""

    feed = None

    def __init__(self, id: str, user: Any, send: Callable[[str], Awaitable[None]]) -> None:
        self.id, self.user, self.send = id, user, send

    async def run(self) -> None:
        source, shown = inbox_source(), None
        while True:
            changed = hub().inbox_changed
            items = await in_database(source, self.user)
            if items != shown:
                await self.send(frame("inbox", id=self.id, items=items))
                shown = items
            try:
                await asyncio.wait_for(changed.wait(), REREAD_SECONDS)
                await asyncio.sleep(COLLECT_SECONDS)
            except TimeoutError:
                pass

    def acknowledge(self, sequence: int) -> None:
        """Nothing to acknowledge: each frame replaces the one before."""
