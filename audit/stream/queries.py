import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db.models import Subquery

from audit.models import Event, Stream
from audit.serialization import to_wire


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
    items = [Item(event.sequence, event.event_type, _text(event)) for event in events]
    return Page(events[0].stream_epoch if events else "", items)


def _text(event: Event) -> str:
    return json.dumps(to_wire(event), ensure_ascii=False, separators=(",", ":"))
