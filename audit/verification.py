from dataclasses import asdict, dataclass
from uuid import UUID

from audit.chain import event_hash, payload_hash
from audit.models import Event, Stream
from audit.wire import to_wire


@dataclass(frozen=True)
class Verification:
    """`first_broken_sequence` is None where the chain holds."""

    valid: bool
    events: int
    head_sequence: int
    head_hash: str
    first_broken_sequence: int | None

    def as_dict(self) -> dict:
        return asdict(self)


def verify_stream(project_id: UUID) -> Verification:
    """Recompute every hash of a project's log, and hold the end against the stream's head.

    Reads in pages; memory stays flat. What is appended meanwhile is left to the next time.
    """
    head = Stream.objects.filter(project=project_id).first()
    head_sequence, head_hash = (head.sequence, head.head_hash) if head else (0, "")
    expected, previous_hash, previous_time = 1, "", None
    # Events appended after the head was read are not part of this answer.
    events = Event.objects.filter(project=project_id, sequence__lte=head_sequence)
    for event in events.order_by("sequence").iterator(chunk_size=1000):
        is_later = previous_time is None or event.created_at >= previous_time
        if event.sequence != expected or not is_later or not _holds(event, previous_hash):
            return Verification(False, expected - 1, head_sequence, head_hash, expected)
        expected, previous_hash, previous_time = expected + 1, event.hash, event.created_at
    if head is None and Event.objects.filter(project=project_id).exists():
        return Verification(False, 0, 0, "", 1)
    if expected - 1 != head_sequence or previous_hash != head_hash:
        broken = min(expected, head_sequence) or 1
        return Verification(False, expected - 1, head_sequence, head_hash, broken)
    return Verification(True, head_sequence, head_sequence, head_hash, None)


def _holds(event: Event, previous_hash: str) -> bool:
    wire = to_wire(event)
    return (
        event.previous_hash == previous_hash
        and event.payload_hash == payload_hash(event.salt, event.data)
        and event.hash == event_hash(wire)
    )
