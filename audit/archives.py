"""What was taken out of the database: it counts where its file and a checkpoint vouch for it.

Anybody who can write to the database can erase payloads, and record that a file has them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from audit.chain import event_hash, payload_hash
from audit.event_types import event_types
from audit.events import EVENTS_ARCHIVED
from audit.models import Checkpoint, Event, Leaf


def archived_payloads(project_id: UUID) -> dict[int, Any]:
    """By sequence: of the events that are in a file of ARCHIVE_DIR which has the recorded digest,
    where the file's events are those of the log, and a checkpoint covers them."""
    payloads: dict[int, Any] = {}
    whole = [name for name, _ in event_types.choices if event_types[name].erases_payloads]
    if Event.objects.filter(project=project_id, event_type__in=whole).exists():
        # The rows went, too: what a file says of them is no longer to be held against them.
        return payloads
    archives = Event.objects.filter(project=project_id, event_type=EVENTS_ARCHIVED)
    # From the last one on: the record of an earlier one may itself be in a later file.
    for archive in archives.order_by("-sequence"):
        record = archive.data if archive.salt else payloads.get(archive.sequence)
        if record and (file := _file_of(project_id, record)):
            payloads |= _vouched_for(project_id, file)
    return payloads


def _file_of(project_id: UUID, record: dict[str, Any]) -> bytes | None:
    if not settings.ARCHIVE_DIR:
        return None
    name = f"events-{project_id}-{record['first']}-*.jsonl"
    for path in sorted(Path(settings.ARCHIVE_DIR).glob(name)):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content).hexdigest() == record["sha256"]:
            return content
    return None


def _vouched_for(project_id: UUID, file: bytes) -> dict[int, Any]:
    events = {event["sequence"]: event for event in map(json.loads, file.splitlines())}
    signed = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    leaves = dict(
        Leaf.objects.filter(
            project=project_id, sequence__gte=min(events), sequence__lte=max(events)
        )
        .filter(index__lt=signed)
        .values_list("sequence", "hash")
    )
    return {
        number: event["data"]
        for number, event in events.items()
        if leaves.get(number) == event["hash"] == event_hash(event)
        and event["salt"]
        and payload_hash(event["salt"], event["data"]) == event["payload_hash"]
    }
