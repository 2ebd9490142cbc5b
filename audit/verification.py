from dataclasses import asdict, dataclass, replace
from uuid import UUID

from django.db.models import Count, Min

from audit.archives import archived_payloads
from audit.chain import event_hash, payload_hash
from audit.erasure import ERASED_DATA
from audit.event_types import EventType
from audit.models import Event, Stream
from audit.serialization import to_wire
from core import sql
from core.database import consistent_snapshot


@dataclass(frozen=True)
class Verification:
    """`first_broken_sequence` is None where the chain holds; `erased` counts payloads.

    `beyond_head`: rows of the project in the table of events that are in no chain, as somebody with
    access to the database puts them there. With any, nothing holds.
    """

    valid: bool
    events: int
    head_sequence: int
    head_hash: str
    first_broken_sequence: int | None
    erased: int = 0
    beyond_head: int = 0

    def as_dict(self) -> dict:
        return asdict(self)


def verify_stream(project_id: UUID) -> Verification:
    """Recompute every hash of a project's log; hold the end against the stream's head, and each
    event against its leaf in the tree of the checkpoints.

    Reads in pages, as of one moment; memory stays flat.
    """
    with consistent_snapshot():
        chain, strays = _verify_chain(project_id), Event.rows.not_in_chain()
        found = strays.filter(project=project_id).aggregate(rows=Count("pk"), first=Min("sequence"))
        other = sql.fetch_one("leaf_of_project_without_its_event", project=project_id)
    places = (chain.first_broken_sequence, found["first"], other and other[1])
    broken = min((place for place in places if place is not None), default=None)
    return replace(
        chain,
        valid=broken is None,
        first_broken_sequence=broken,
        beyond_head=found["rows"],
    )


def _verify_chain(project_id: UUID) -> Verification:
    head = Stream.objects.filter(project=project_id).first()
    head_sequence, head_hash = (head.sequence, head.head_hash) if head else (0, "")
    expected, previous_hash, previous_time = 1, "", None
    # An event without its payload counts only where a later one records that payloads went: all
    # that the project had, or what is in an archive that is there and was signed.
    erased, unexplained = 0, None
    archived = archived_payloads(project_id)
    # In a transaction of the caller's, some may have been appended after the head was read.
    events = Event.objects.filter(project=project_id, sequence__lte=head_sequence)
    for event in events.order_by("sequence").iterator(chunk_size=1000):
        is_later = previous_time is None or event.created_at >= previous_time
        if event.sequence != expected or not is_later or not _holds(event, previous_hash):
            return Verification(False, expected - 1, head_sequence, head_hash, expected)
        if EventType.named(event.event_type).erases_payloads:
            unexplained = None
        if is_erased(event):
            erased += 1
            if event.sequence not in archived:
                unexplained = unexplained or event.sequence
        expected, previous_hash, previous_time = expected + 1, event.hash, event.created_at
    if expected - 1 != head_sequence or previous_hash != head_hash:
        broken = min(expected, head_sequence) or 1
        return Verification(False, expected - 1, head_sequence, head_hash, broken)
    if unexplained:
        return Verification(False, unexplained - 1, head_sequence, head_hash, unexplained)
    return Verification(True, head_sequence, head_sequence, head_hash, None, erased)


def is_erased(event: Event) -> bool:
    return event.salt == ""


def _holds(event: Event, previous_hash: str) -> bool:
    wire = to_wire(event)
    return (
        event.previous_hash == previous_hash
        and _payload_holds(event)
        and event.hash == event_hash(wire)
    )


def _payload_holds(event: Event) -> bool:
    if is_erased(event):
        return event.data == ERASED_DATA
    return event.payload_hash == payload_hash(event.salt, event.data)
