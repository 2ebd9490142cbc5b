"""What time does to actions, for the sweep: leases that run out, approvals that nobody claims."""

import logging
from collections.abc import Callable
from uuid import UUID

from django.db import DatabaseError
from django.db.models.functions import Now

from audit.actors import Actor
from core.errors import DomainError
from hitl.agent_actions.claims import become_unknown
from hitl.agent_actions.records import close_action
from hitl.enums import ActionStatus
from hitl.models import AgentAction
from hitl.services.locks import database_time
from projects.transaction import ProjectLocked, ProjectOf, ProjectTransaction

logger = logging.getLogger(__name__)
BATCH = 500


def close_overdue_actions() -> int:
    """How many were closed or became unknown."""
    lost = AgentAction.objects.filter(status=ActionStatus.EXECUTING, lease_expires_at__lt=Now())
    unclaimed = AgentAction.objects.filter(status=ActionStatus.APPROVED, approved_until__lt=Now())
    closed = 0
    for rows, end in ((lost, _lose), (unclaimed, _expire)):
        for action_id in list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
            try:
                closed += _under_lock(action_id, end)
            except ProjectLocked:
                continue  # until the next round
            except (DatabaseError, DomainError):
                # One that fails must not hold up all others.
                logger.exception("action not closed", extra={"agent_action": str(action_id)})
    return closed


def _under_lock(action_id: UUID, end: Callable[[ProjectTransaction, AgentAction], bool]) -> bool:
    where = ProjectOf("action", action_id)
    with ProjectTransaction(where, Actor.of_scheduler(), skip_locked=True) as tx:
        return end(tx, tx.lock(AgentAction, action_id))


def _lose(tx: ProjectTransaction, action: AgentAction) -> bool:
    is_executing = action.status == ActionStatus.EXECUTING
    if not is_executing or action.lease_expires_at > database_time():
        return False
    become_unknown(tx, action, "who claimed it has not been heard of since")
    return True


def _expire(tx: ProjectTransaction, action: AgentAction) -> bool:
    is_approved = action.status == ActionStatus.APPROVED
    if not is_approved or action.approved_until > database_time():
        return False
    close_action(tx, action, ActionStatus.EXPIRED, "nobody claimed it in time")
    return True
