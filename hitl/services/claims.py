"""Who is at it: one person at a time has a request for themselves, for a while."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft, record_all
from core.errors import Conflict, Forbidden, Gone, Unprocessable
from hitl.models import HitlRequest
from hitl.rules import Verdict, can_decide
from hitl.services.locks import database_time, lock_request
from projects.access import DECIDE, require_role, role_of
from projects.enums import Role

CLAIM = ["claimed_by", "claimed_until"]


@transaction.atomic
def claim_request(*, request_id: UUID, actor: Actor) -> HitlRequest:
    """Until released, or its time is over, nobody else decides. Again, the time starts anew.

    Raises NotFound, Forbidden (why not this person), Conflict (`request_closed`), Gone.
    """
    request, _ = lock_request(request_id, actor)
    _check_open(request)
    now = database_time()
    verdict = can_decide(request, actor.user, now)
    if not verdict.allowed:
        raise (Gone if verdict.code == "expired" else Forbidden)(verdict.code, verdict.detail)
    _take(request, actor.user, now)
    return _save(request, actor, EventType.HITL_REQUEST_CLAIMED, until=_until(request))


@transaction.atomic
def release_request(*, request_id: UUID, actor: Actor) -> HitlRequest:
    """All who may decide have it again. By who has it, or an owner; where nobody has it, nothing.

    Raises NotFound, Forbidden, Conflict (`request_closed`).
    """
    request, _ = lock_request(request_id, actor)
    require_role(actor.user, request.project_id, DECIDE)
    _check_open(request)
    claimant = request.claimant_id(database_time())
    if claimant is None:
        return request
    _check_may_hand_on(request, actor.user, claimant)
    request.claimed_by = request.claimed_until = None
    return _save(request, actor, EventType.HITL_REQUEST_RELEASED, user=claimant)


@transaction.atomic
def reassign_request(*, request_id: UUID, actor: Actor, user: Any) -> HitlRequest:
    """Another member has it for themselves, as if they had claimed it.

    By who has it, or an owner; where nobody has it, by all who decide. Raises NotFound, Forbidden,
    Conflict (`request_closed`), Unprocessable (`assignee_cannot_decide`, with the reason).
    """
    request, _ = lock_request(request_id, actor)
    require_role(actor.user, request.project_id, DECIDE)
    _check_open(request)
    now = database_time()
    if (claimant := request.claimant_id(now)) is not None:
        _check_may_hand_on(request, actor.user, claimant)
    request.claimed_by = request.claimed_until = None
    _check_assignee(can_decide(request, user, now), user)
    _take(request, user, now)
    said = {"user": user.pk, "username": user.get_username(), "until": _until(request)}
    return _save(request, actor, EventType.HITL_REQUEST_REASSIGNED, **said)


def _check_open(request: HitlRequest) -> None:
    if not request.is_pending:
        detail = f"The request is {request.status}; nobody has to decide on it any more."
        raise Conflict("request_closed", detail, request_status=request.status)


def _check_may_hand_on(request: HitlRequest, user: Any, claimant: int) -> None:
    if user.pk != claimant and role_of(user, request.project_id) != Role.OWNER:
        detail = "Only who has claimed it, or an owner, may release or reassign it."
        raise Forbidden("claimed", detail)


def _check_assignee(verdict: Verdict, user: Any) -> None:
    if verdict.allowed:
        return
    detail = f"{user.get_username()} cannot decide on it ({verdict.code})."
    error = {"field": "user", "code": verdict.code or "invalid", "detail": detail}
    raise Unprocessable("assignee_cannot_decide", detail, errors=[error])


def _take(request: HitlRequest, user: Any, now: Any) -> None:
    request.claimed_by = user
    request.claimed_until = now + timedelta(seconds=settings.HITL_CLAIM_SECONDS)


def _until(request: HitlRequest) -> str:
    return request.claimed_until.isoformat()


def _save(request: HitlRequest, actor: Actor, event_type: EventType, **data: Any) -> HitlRequest:
    request.save(update_fields=CLAIM)
    draft = Draft(event_type, actor, data, task=request.task_id, hitl_request=request.pk)
    record_all(request.project_id, [draft])
    return request
