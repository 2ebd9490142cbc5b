"""What the stream reads, and the threads in which it does."""

import asyncio
import json
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import close_old_connections
from django.db.models import Subquery

from audit.models import Event, Stream
from audit.serialization import to_wire

Result = TypeVar("Result")

# Each thread keeps one connection: the bound on what a server process's sockets cost the database.
THREADS = 5
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="stream-database")


async def in_database(read: Callable[..., Result], *args: Any) -> Result:
    """Run a short read without blocking the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _run, read, args)


def _run(read: Callable[..., Result], args: tuple) -> Result:
    close_old_connections()
    try:
        return read(*args)
    finally:
        close_old_connections()


class Head(NamedTuple):
    """The end of a project's log."""

    epoch: str
    sequence: int


class Item(NamedTuple):
    """An event, written out once for all who listen."""

    sequence: int
    event_type: str
    text: str


@dataclass(frozen=True)
class Page:
    """Events without a gap, and the stream's epoch at the same time ('' where there are none)."""

    epoch: str
    items: list[Item]


def read_heads(project_ids: Collection[UUID]) -> dict[UUID, Head]:
    """A project without events is left out."""
    rows = Stream.objects.filter(project__in=project_ids)
    return {
        project: Head(epoch, sequence)
        for project, epoch, sequence in rows.values_list("project", "epoch", "sequence")
    }


def read_page(project_id: UUID, after: int, limit: int) -> Page:
    epoch = Stream.objects.filter(project=project_id).values("epoch")
    rows = Event.objects.filter(project=project_id, sequence__gt=after)
    events = list(rows.annotate(stream_epoch=Subquery(epoch)).order_by("sequence")[:limit])
    items = [Item(event.sequence, event.event_type, json_text(event)) for event in events]
    return Page(events[0].stream_epoch if events else "", items)


def json_text(event: Event) -> str:
    return json.dumps(to_wire(event), ensure_ascii=False, separators=(",", ":"))
