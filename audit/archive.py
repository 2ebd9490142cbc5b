"""A project's log as a file that can be verified without us; then its payloads may go."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from audit import archive_verifier
from audit.actors import Actor
from audit.erasure import erase_payloads
from audit.events import EVENTS_ARCHIVED
from audit.models import Event, Stream
from audit.serialization import to_wire
from core.database import consistent_snapshot
from core.errors import Conflict

PAGE = 1000


@dataclass(frozen=True)
class Archive:
    """A part of a log in a file: JSON Lines, one event a line. `sha256` is that of the file."""

    project: UUID
    path: Path
    first: int
    last: int
    head_hash: str
    sha256: str


def write_archive(project_id: UUID, folder: Path) -> Archive | None:
    """The events that still have their payloads, in a file whose name says which; None without any.

    A file that is there already is replaced as a whole. Verified before it is returned.
    """
    with consistent_snapshot():
        stream = Stream.objects.get(project=project_id)
        first, last = stream.erased_through + 1, stream.sequence
        if first > last:
            return None
        path = folder / f"events-{project_id}-{first}-{last}.jsonl"
        sha256 = _write(project_id, first, path)
    log = archive_verifier.verify(archive_verifier.lines_of([path]), stream.head_hash)
    return Archive(project_id, path, log.first, log.last, log.head, sha256)


def _write(project_id: UUID, first: int, path: Path) -> str:
    unfinished, state = path.with_suffix(".part"), hashlib.sha256()
    events = Event.objects.filter(project=project_id, sequence__gte=first).order_by("sequence")
    # For the owner only: it holds what people wrote.
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        for event in events.iterator(chunk_size=PAGE):
            line = json.dumps(to_wire(event), ensure_ascii=False).encode() + b"\n"
            state.update(line)
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return state.hexdigest()


def erase_archived(archive: Archive, actor: Actor) -> int:
    """Erase the payloads that the file holds, and record which file has them.

    The caller holds the lock of what the stream is about. Raises Conflict where the log went on.
    """
    if Stream.objects.get(project=archive.project).head_hash != archive.head_hash:
        raise Conflict("log_went_on", "Something was recorded meanwhile: archive it again.")
    return erase_payloads(
        project_id=archive.project,
        through=archive.last,
        event_type=EVENTS_ARCHIVED,
        actor=actor,
        data={"first": archive.first, "sha256": archive.sha256, "head": archive.head_hash},
    )
