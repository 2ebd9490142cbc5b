import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.actors import Actor
from audit.chain import event_hash, payload_hash, time_text
from audit.event_types import EventType, event_types
from audit.metrics import EVENTS
from audit.request_context import current_origin
from audit.stream.notifier import publish_hint, publish_inbox_hint
from core.failpoints import failpoint
from core.log_fields import note_project

LOCK_HEAD = """
    SELECT epoch, sequence, head_hash, greatest(clock_timestamp(), head_at)
    FROM event_streams WHERE project = %s FOR NO KEY UPDATE
"""
OPEN_STREAM = """
    INSERT INTO event_streams (project, epoch, sequence, head_hash, head_at)
    VALUES (%s, %s, 0, '', clock_timestamp()) ON CONFLICT DO NOTHING
    RETURNING epoch, sequence, head_hash, head_at
"""
NEW_EPOCH = "UPDATE event_streams SET epoch = replace(gen_random_uuid()::text, '-', '')"
COLUMNS = (
    "project, epoch, sequence, event_type, event_source, actor, task, hitl_request, data, salt,"
    " metadata, created_at, payload_hash, previous_hash, hash"
)
ROW = "(" + ", ".join(["%s"] * 15) + ")"


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


def record_all(project_id: UUID, drafts: Sequence[Draft], *, is_new: bool = False) -> int:
    """Append events in order, in the caller's transaction, and return the new head.

    Call it last: it holds the stream's lock until commit. Raises TransactionManagementError outside
    of a transaction, because a fact may not be recorded without its change, and KeyError for an
    event type that no app has registered. `is_new`: the project was made in this transaction, so
    that it has no stream yet.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("An event needs the transaction of its change")
    changes_inbox = any(event_types[draft.event_type].changes_inbox for draft in drafts)
    note_project(project_id)
    with connection.cursor() as cursor:
        epoch, sequence, head_hash, now = _lock_head(cursor, project_id, is_new)
        rows = []
        for draft in drafts:
            sequence += 1
            event = _seal(draft, project_id, epoch, sequence, now, head_hash)
            head_hash = event["hash"]
            rows.append(event)
        _append(cursor, project_id, rows, now)
    failpoint("before_commit")
    transaction.on_commit(lambda: _announce(project_id, epoch, sequence, drafts), robust=True)
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


def _lock_head(cursor: Any, project_id: UUID, is_new: bool) -> tuple:
    """Epoch, sequence, hash and time of the stream's head; the stream is opened if it is new."""
    if not is_new:
        cursor.execute(LOCK_HEAD, [project_id])
        if head := cursor.fetchone():
            return head
    cursor.execute(OPEN_STREAM, [project_id, secrets.token_hex(8)])
    if head := cursor.fetchone():
        return head
    cursor.execute(LOCK_HEAD, [project_id])
    return cursor.fetchone()


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


def _append(cursor: Any, project_id: UUID, events: list[dict[str, Any]], now: Any) -> None:
    parameters: list[Any] = []
    for event in events:
        row = event | {"data": json.dumps(event["data"]), "metadata": json.dumps(event["metadata"])}
        parameters += [row[name.strip()] for name in COLUMNS.split(",")]
    head, rows = events[-1], ", ".join([ROW] * len(events))
    cursor.execute(
        f"WITH appended AS (INSERT INTO event_log ({COLUMNS}) VALUES {rows})"  # noqa: S608 - constants of ours
        " UPDATE event_streams SET sequence = %s, head_hash = %s, head_at = %s WHERE project = %s",
        [*parameters, head["sequence"], head["hash"], now, project_id],
    )
