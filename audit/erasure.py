"""Payloads of events may go; that they were there, when, by whom and with which hash stays."""

import secrets
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.actors import Actor
from audit.event_types import EventType
from audit.services import record

# What stands where a payload was. Without its salt, its hash tells nothing of what it said.
ERASED_DATA = {"erased": True}
# As the owner of the log, whose rows we may only add. With a new epoch, so that whoever keeps
# events in memory reads them again.
ERASE = "SELECT event_log_erase(%s, %s, %s)"


@transaction.atomic
def erase_payloads(
    *, project_id: UUID, through: int, event_type: EventType, actor: Actor, data: dict[str, Any]
) -> int:
    """Erase the payloads up to a sequence, and record it. Returns how many were erased.

    The caller holds the lock of what the stream is about. It cannot be undone.
    """
    with connection.cursor() as cursor:
        cursor.execute(ERASE, [project_id, through, secrets.token_hex(8)])
        erased = cursor.fetchone()[0]
    facts = data | {"through": through, "erased_events": erased}
    record(project_id=project_id, event_type=event_type, actor=actor, data=facts)
    return erased
