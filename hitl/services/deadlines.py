"""What the clock does to requests: it reminds, notes what is late, and ends or hands up what timed
out. Never a yes, and never a person's no."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from agents.models import Task
from agents.services import expire_result
from agents.stops.queries import is_wholly_stopped
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft, record_all
from core.errors import DomainError
from hitl.enums import OnTimeout, RequestStatus
from hitl.models import HitlRequest
from hitl.services.locks import database_time, lock_below_project
from hitl.services.record import close_request
from hitl.signals import request_timed_out
from projects.access import DECIDE
from projects.enums import ProjectStatus, Role
from projects.models import Membership, Project

logger = logging.getLogger(__name__)
SCHEDULER = Actor.of_scheduler()
BATCH = 500

# Three small indexes: what has no deadline costs nothing, however much is pending.
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
HOLD = """
    UPDATE hitl_requests SET held_since = clock_timestamp()
    WHERE project_id = %s AND status = 'pending' AND held_since IS NULL
"""
GO_ON = """
    UPDATE hitl_requests SET held_since = NULL,
        remind_at = remind_at + (clock_timestamp() - held_since),
        due_at = due_at + (clock_timestamp() - held_since),
        expires_at = expires_at + (clock_timestamp() - held_since)
    WHERE project_id = %s AND status = 'pending' AND held_since IS NOT NULL
"""


def hold_clocks(project_id: UUID) -> None:
    """From now on no deadline of the project comes nearer. The caller holds the project's lock."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [project_id])


def release_clocks(project_id: UUID) -> None:
    """Deadlines go on, later by the time that they stood still. The caller holds the lock."""
    with connection.cursor() as cursor:
        cursor.execute(GO_ON, [project_id])


def keep_clocks(project: Project) -> None:
    """Clocks stand still while a project is paused or stopped. Again, it does nothing."""
    if project.status == ProjectStatus.PAUSED or is_wholly_stopped(project.pk):
        hold_clocks(project.pk)
    else:
        release_clocks(project.pk)


def apply_deadlines() -> int:
    """One round over all requests whose time has come; how many there were. For the sweep."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"batch": BATCH})
        due = [row[0] for row in cursor.fetchall()]
    return sum(_apply_if_possible(request_id) for request_id in due)


def _apply_if_possible(request_id: UUID) -> bool:
    """One that cannot be served must not keep all others from it, round after round."""
    try:
        return _apply(request_id)
    except (DatabaseError, DomainError):
        logger.exception("deadline not applied", extra={"hitl_request": str(request_id)})
        return False


@transaction.atomic
def _apply(request_id: UUID) -> bool:
    """Nothing where somebody was faster. A busy project's turn is the next round's."""
    seen = HitlRequest.objects.get(pk=request_id)
    if not Project.objects.filter(pk=seen.project_id).select_for_update(
        no_key=True, skip_locked=True
    ):
        return False
    request, task = lock_below_project(seen)
    if not request.is_pending or request.held_since is not None:
        return False
    if is_wholly_stopped(request.project_id):
        return False
    drafts = _drafts(request, task, database_time())
    if not drafts:
        return False
    record_all(request.project_id, drafts)
    if not request.is_pending:
        request_timed_out.send(HitlRequest, request=request)
    return True


def _drafts(request: HitlRequest, task: Task, now: datetime) -> list[Draft]:
    if request.is_timed_out(now):
        return _time_out(request, task, now)
    return [*_remind(request, now), *_note_overdue(request, now)]


def _remind(request: HitlRequest, now: datetime) -> list[Draft]:
    if request.remind_at is None or request.reminded_at or request.remind_at > now:
        return []
    request.reminded_at = now
    request.save(update_fields=["reminded_at"])
    return [_draft(EventType.HITL_REQUEST_REMINDED, request)]


def _note_overdue(request: HitlRequest, now: datetime) -> list[Draft]:
    if not request.is_overdue(now) or request.overdue_noted_at:
        return []
    request.overdue_noted_at = now
    request.save(update_fields=["overdue_noted_at"])
    return [_draft(EventType.HITL_REQUEST_OVERDUE, request)]


def _time_out(request: HitlRequest, task: Task, now: datetime) -> list[Draft]:
    match request.on_timeout:
        case OnTimeout.REJECT:
            return _expire(request, task)
        case OnTimeout.ESCALATE:
            return escalate_if_due(request, now)
    return _hold(request, now)


def _expire(request: HitlRequest, task: Task) -> list[Draft]:
    until = f"{request.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    reason = f"Nobody decided on “{request.title}” until {until}; by the policy the project stops."
    closed = close_request(
        request, RequestStatus.EXPIRED, SCHEDULER, on_timeout=str(request.on_timeout), reason=reason
    )
    return [*closed, *expire_result(task, reason, SCHEDULER)]


def _hold(request: HitlRequest, now: datetime) -> list[Draft]:
    """Nothing ends; what had an end is overdue from then on."""
    request.due_at = request.due_at or request.expires_at
    request.expires_at = None
    request.save(update_fields=["due_at", "expires_at"])
    return _note_overdue(request, now)


def escalate_if_due(request: HitlRequest, now: datetime) -> list[Draft]:
    """From now on only an owner decides, without an end. The caller holds the locks."""
    is_due = request.is_pending and request.is_timed_out(now)
    if not is_due or request.on_timeout != OnTimeout.ESCALATE:
        return []
    request.escalated_at, request.deciding_roles = now, [Role.OWNER]
    request.due_at, request.expires_at = request.due_at or request.expires_at, None
    request.overdue_noted_at = request.overdue_noted_at or now
    _release_from_others(request)
    request.save(
        update_fields=[
            *("escalated_at", "deciding_roles", "due_at", "expires_at", "overdue_noted_at"),
            *("claimed_by", "claimed_until"),
        ]
    )
    return [_draft(EventType.HITL_REQUEST_ESCALATED, request)]


def _release_from_others(request: HitlRequest) -> None:
    owners = Membership.objects.filter(project=request.project_id, role=Role.OWNER)
    if not owners.filter(user=request.claimed_by_id).exists():
        request.claimed_by = request.claimed_until = None


def _draft(event_type: EventType, request: HitlRequest) -> Draft:
    data = {
        "step": request.step,
        "due_at": _text(request.due_at),
        "expires_at": _text(request.expires_at),
        "roles": sorted(request.deciding_roles or DECIDE),
    }
    return Draft(event_type, SCHEDULER, data, task=request.task_id, hitl_request=request.pk)


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
