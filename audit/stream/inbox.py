"""What waits for a person, over all their projects. The app above that knows it registers a source.

`settings.STREAM_INBOX`: dotted path of a function `(user) -> list of JSON objects`, a short read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from audit.stream.database import in_database
from audit.stream.hub import hub
from audit.stream.protocol import frame

# A lost hint is made good after this long; many in a row are one read.
REREAD_SECONDS = 30.0
COLLECT_SECONDS = 0.2


def inbox_source() -> Callable[[Any], list[dict[str, Any]]] | None:
    path = getattr(settings, "STREAM_INBOX", None)
    return import_string(path) if path else None


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
