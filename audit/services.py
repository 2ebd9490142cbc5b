import json
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.actors import Actor
from audit.chain import event_hash, payload_hash, time_text
from audit.event_types import EventType, event_types
from audit.events import SYSTEM_ERROR
from audit.metrics import EVENTS
from audit.request_context import current_origin
from audit.stream.notifier import publish_hint, publish_inbox_hint
from core import sql
from core.failpoints import failpoint
from core.log_fields import note_project

logger = logging.getLogger(__name__)

NEW_EPOCH = "UPDATE event_streams SET epoch = replace(gen_random_uuid()::text, '-', '')"


@dataclass(frozen=True)
class Head:
    """The end of a project's stream, while its lock is held, and the database's time then."""

    epoch: str
    sequence: int
    hash: str
    time: datetime
    #: `time.monotonic()` when `time` was read.
    read_at: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """By the database's clock; never before the stream's last event."""
        return self.time + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass(frozen=True)
class Draft:
    """A fact about to be recorded. `data`: ids, names, old and new state; all members read it."""

    event_type: EventType
    actor: Actor
    data: dict[str, Any] = field(default_factory=dict)
    task: UUID | None = None
    hitl_request: UUID | None = None
    #: Through which channel it came; of who made the draft, not of who appends it.
    origin: dict[str, str] = field(default_factory=current_origin)


def record(
    *,
    project_id: UUID,
    event_type: EventType,
    actor: Actor,
    data: dict[str, Any] | None = None,
    task: UUID | None = None,
    hitl_request: UUID | None = None,
) -> int:
    """Append one event to the project's stream and return its sequence. See `record_all`."""
    return record_all(project_id, [Draft(event_type, actor, data or {}, task, hitl_request)])


def record_all(
    project_id: UUID, drafts: Sequence[Draft], *, head: Head | None = None, is_new: bool = False
) -> int:
    """Append events in order, in the caller's transaction, and return the new head.

    Call it last: it holds the stream's lock until commit. Raises TransactionManagementError outside
    of a transaction, because a fact may not be recorded without its change, and KeyError for an
    event type that no app has registered. `head`: where the caller has locked the stream already.
    `is_new`: the project was made in this transaction, so that it has no stream yet.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An event needs the transaction of its change")
    changes_inbox = any(event_types[draft.event_type].changes_inbox for draft in drafts)
    note_project(project_id)
    if head is None or not _append(project_id, drafts, head):
        # Nobody has locked it, or the caller has recorded something since.
        head = _lock_head(project_id, is_new=is_new)
        if not _append(project_id, drafts, head):
            head, warning = _leave_strays(project_id)
            drafts = [warning, *drafts]
            if not _append(project_id, drafts, head):
                raise RuntimeError(f"the stream of {project_id} moved under its lock")
    failpoint("before_commit")
    sequence = head.sequence + len(drafts)
    transaction.on_commit(lambda: _announce(project_id, head.epoch, sequence, drafts), robust=True)
    if changes_inbox:
        transaction.on_commit(lambda: publish_inbox_hint(), robust=True)
    return sequence


def begin_epoch() -> int:
    """Mark that history went back, as by a restored backup: each stream goes on in a new epoch.

    Listeners learn of it at their next look and start anew. How many streams there are.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEW_EPOCH)
        return cursor.rowcount


def _announce(project_id: UUID, epoch: str, head: int, drafts: Sequence[Draft]) -> None:
    failpoint("after_commit_before_hint")
    publish_hint(project_id, epoch, head)
    for draft in drafts:
        EVENTS.labels(str(draft.event_type)).inc()


def _lock_head(project_id: UUID, *, is_new: bool = False) -> Head:
    """The stream's head under lock; the stream is opened if there is none."""
    row = None if is_new else sql.fetch_one("lock_head", project=project_id)
    if row is None:
        row = sql.fetch_one("open_stream", project=project_id, epoch=secrets.token_hex(8))
    return Head(*(row or sql.fetch_one("lock_head", project=project_id)))


def _leave_strays(project_id: UUID) -> tuple[Head, Draft]:
    """A new epoch for a stream beyond whose head there are rows that we did not write.

    They stay, for whoever looks into it; no reader is given them, and no verification holds.
    """
    *head, strays = sql.fetch_one("leave_strays", project=project_id, epoch=secrets.token_hex(8))
    detail = (
        f"{strays['rows']} rows from sequence {strays['first']} on stand in the table of events, "
        "and Paraph did not write them. They are not shown; the log goes on in a new epoch. "
        "Somebody has write access to the database."
    )
    logger.error("rows that are not of the log", extra={"project": str(project_id), **strays})
    data = {"code": "rows_beyond_head", "detail": detail, **strays}
    return Head(*head), Draft(SYSTEM_ERROR, Actor.of_system("audit"), data)


def _seal(draft, project_id, epoch, sequence, now, previous_hash) -> dict[str, Any]:
    data = dict(draft.data)
    if draft.actor.user is not None:
        data.setdefault("actor_name", draft.actor.name)
    salt = secrets.token_hex(16)
    event = {
        "project": str(project_id),
        "epoch": epoch,
        "sequence": sequence,
        "event_type": str(draft.event_type),
        "event_source": draft.actor.source,
        "actor": draft.actor.id,
        "task": str(draft.task) if draft.task else None,
        "hitl_request": str(draft.hitl_request) if draft.hitl_request else None,
        "data": data,
        "salt": salt,
        "metadata": draft.origin,
        "created_at": time_text(now),
        "payload_hash": payload_hash(salt, data),
        "previous_hash": previous_hash,
    }
    return event | {"hash": event_hash(event)}


def _append(project_id: UUID, drafts: Sequence[Draft], head: Head) -> bool:
    """False, and nothing is written, where the stream no longer ends there."""
    now, previous_hash = head.now(), head.hash
    events = []
    for sequence, draft in enumerate(drafts, start=head.sequence + 1):
        event = _seal(draft, project_id, head.epoch, sequence, now, previous_hash)
        previous_hash = event["hash"]
        events.append(event)
    return bool(
        sql.execute(
            "append_events",
            project=project_id,
            epoch=head.epoch,
            before=head.sequence,
            sequence=head.sequence + len(events),
            hash=previous_hash,
            now=now,
            events=json.dumps(events),
        )
    )
