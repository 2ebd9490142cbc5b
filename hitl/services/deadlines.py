"""Reminders, overdue requests and timeouts. Time never approves, and never rejects for a person."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection

from agents.services import expire_result
from agents.stops.queries import is_wholly_stopped
from audit.actors import Actor
from audit.event_types import EventType
from core.errors import DomainError
from hitl.enums import ActionStatus, OnTimeout, RequestStatus
from hitl.events import REQUEST_ESCALATED, REQUEST_OVERDUE, REQUEST_REMINDED
from hitl.models import HitlRequest, Policy
from hitl.policy import TIMES
from hitl.services.locks import database_time, lock_request
from hitl.services.records import close_request
from projects.access import DECIDE
from projects.enums import ProjectStatus, Role
from projects.models import Membership
from projects.transaction import ProjectLocked, ProjectOf, ProjectTransaction

logger = logging.getLogger(__name__)
SCHEDULER = Actor.of_scheduler()
BATCH = 500

# By three small indexes, so that pending requests without a deadline cost nothing.
DUE = """
    (SELECT id FROM hitl_requests WHERE status = 'pending' AND reminded_at IS NULL
      AND remind_at <= clock_timestamp() AND held_since IS NULL ORDER BY remind_at LIMIT %(batch)s)
    UNION
    (SELECT id FROM hitl_requests WHERE status = 'pending' AND overdue_noted_at IS NULL
      AND due_at <= clock_timestamp() AND held_since IS NULL ORDER BY due_at LIMIT %(batch)s)
    UNION
    (SELECT id FROM hitl_requests WHERE status = 'pending'
      AND expires_at <= clock_timestamp() AND held_since IS NULL
      ORDER BY expires_at LIMIT %(batch)s)
"""
SUSPEND = """
    UPDATE hitl_requests SET held_since = clock_timestamp()
    WHERE project_id = %s AND status = 'pending' AND held_since IS NULL
"""
RESUME = """
    UPDATE hitl_requests SET held_since = NULL,
        remind_at = remind_at + (clock_timestamp() - held_since),
        due_at = due_at + (clock_timestamp() - held_since),
        expires_at = expires_at + (clock_timestamp() - held_since)
    WHERE project_id = %s AND status = 'pending' AND held_since IS NOT NULL
"""


def suspend_deadlines(project_id: UUID) -> None:
    """Stop the project's deadlines. The caller holds the project's lock."""
    with connection.cursor() as cursor:
        cursor.execute(SUSPEND, [project_id])


def resume_deadlines(project_id: UUID) -> None:
    """Start them again, later by the time they were suspended. The caller holds the lock."""
    with connection.cursor() as cursor:
        cursor.execute(RESUME, [project_id])


def sync_deadlines(tx: ProjectTransaction) -> None:
    """Suspend deadlines while the project is paused or stopped, else resume them. Idempotent."""
    project = tx.project
    if project.status == ProjectStatus.PAUSED or is_wholly_stopped(project.pk):
        suspend_deadlines(project.pk)
    else:
        resume_deadlines(project.pk)


def apply_deadlines() -> int:
    """Apply every deadline that has passed, for the sweep; returns to how many requests."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"batch": BATCH})
        request_ids = [row[0] for row in cursor.fetchall()]
    applied = 0
    for request_id in request_ids:
        try:
            applied += _apply(request_id)
        except ProjectLocked:
            continue  # until the next round
        except (DatabaseError, DomainError):
            # A request that fails must not hold up all others, round after round.
            logger.exception("deadline not applied", extra={"hitl_request": str(request_id)})
    return applied


def _apply(request_id: UUID) -> bool:
    """False where there is nothing to do any more."""
    with ProjectTransaction(ProjectOf("request", request_id), SCHEDULER, skip_locked=True) as tx:
        request, task = lock_request(tx, request_id)
        if not request.is_pending or request.held_since or is_wholly_stopped(tx.project.pk):
            return False
        now = database_time()
        if not request.is_timed_out(now):
            is_reminder_due = request.remind_at is not None and request.remind_at <= now
            if is_reminder := is_reminder_due and not request.reminded_at:
                request.reminded_at = now
                request.save(update_fields=["reminded_at"])
                _record(tx, REQUEST_REMINDED, request)
            return _note_overdue(tx, request, now) or is_reminder
        match request.on_timeout:
            case OnTimeout.REJECT if task is None:
                from hitl.agent_actions.records import close_action

                end = ActionStatus.EXPIRED
                close_action(tx, request.agent_action, end, "nobody decided in time")
            case OnTimeout.REJECT:
                end = f"{request.expires_at:%Y-%m-%d %H:%M:%S} UTC"
                reason = (
                    f"Nobody decided on “{request.title}” by {end}, so the project's policy "
                    "stops the project."
                )
                policy = {"on_timeout": str(request.on_timeout), "reason": reason}
                close_request(tx, request, RequestStatus.EXPIRED, **policy)
                expire_result(tx, task, reason)
                tx.request_advance()
            case OnTimeout.ESCALATE:
                escalate_if_due(tx, request, now)
            case _:
                # Nothing ends; a request that had an end is overdue from then on.
                request.due_at = request.due_at or request.expires_at
                request.expires_at = None
                request.save(update_fields=["due_at", "expires_at"])
                _note_overdue(tx, request, now)
    return True


def _note_overdue(tx: ProjectTransaction, request: HitlRequest, now: datetime) -> bool:
    if not request.is_overdue(now) or request.overdue_noted_at:
        return False
    request.overdue_noted_at = now
    request.save(update_fields=["overdue_noted_at"])
    _record(tx, REQUEST_OVERDUE, request)
    return True


def deadlines_by(policy: Policy) -> dict[str, Any]:
    """The deadlines of a request that is opened now. On hold, its end is when it is due."""
    seconds = {name.split("_")[0]: getattr(policy, name) for name in TIMES}
    if not any(seconds.values()):
        return {"on_timeout": policy.on_timeout}
    if policy.on_timeout == OnTimeout.HOLD:
        seconds |= {"due": seconds["due"] or seconds["expire"], "expire": None}
    now = database_time()
    times = {name: now + timedelta(seconds=s) if s else None for name, s in seconds.items()}
    return {
        "on_timeout": policy.on_timeout,
        "remind_at": times["remind"],
        "due_at": times["due"],
        "expires_at": times["expire"],
    }


def escalate_if_due(tx: ProjectTransaction, request: HitlRequest, now: datetime) -> None:
    """Once its time is over, leave the request to the owners, without an end."""
    is_due = request.is_pending and request.is_timed_out(now)
    if not is_due or request.on_timeout != OnTimeout.ESCALATE:
        return
    request.escalated_at, request.deciding_roles = now, [Role.OWNER]
    request.due_at, request.expires_at = request.due_at or request.expires_at, None
    request.overdue_noted_at = request.overdue_noted_at or now
    owners = Membership.objects.filter(project=request.project_id, role=Role.OWNER)
    if not owners.filter(user=request.claimed_by_id).exists():
        request.claimed_by = request.claimed_until = None
    request.save(
        update_fields=[
            *("escalated_at", "deciding_roles", "due_at", "expires_at", "overdue_noted_at"),
            *("claimed_by", "claimed_until"),
        ]
    )
    _record(tx, REQUEST_ESCALATED, request)


def _record(tx: ProjectTransaction, event_type: EventType, request: HitlRequest) -> None:
    tx.record(
        event_type,
        actor=SCHEDULER,
        request=request,
        step=request.step,
        due_at=request.due_at.isoformat() if request.due_at else None,
        expires_at=request.expires_at.isoformat() if request.expires_at else None,
        roles=sorted(request.deciding_roles or DECIDE),
    )
