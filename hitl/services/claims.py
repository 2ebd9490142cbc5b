"""Claims: for a while, only one person can decide on a request."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from audit.actors import Actor
from core.errors import Conflict, Forbidden, Gone, Unprocessable
from hitl.events import REQUEST_CLAIMED, REQUEST_REASSIGNED, REQUEST_RELEASED
from hitl.models import HitlRequest
from hitl.rules import can_decide
from hitl.services.deadlines import escalate_if_due
from hitl.services.locks import database_time, lock_request
from projects.access import DECIDE, READ
from projects.enums import Role
from projects.transaction import ProjectOf, ProjectTransaction

CLAIM = ["claimed_by", "claimed_until"]


def claim_request(*, request_id: UUID, actor: Actor) -> HitlRequest:
    """Nobody else can decide until the claim is released or runs out. Again, it starts anew.

    Raises NotFound, Forbidden (why not this person), Conflict (`request_closed`), Gone.
    """
    where = ProjectOf("request", request_id)
    with ProjectTransaction(where, actor, require=READ, missing="request") as tx:
        request, _ = lock_request(tx, request_id)
        _check_open(request)
        now = database_time()
        # What time has done comes first: an escalation ends the claim of who may not decide then.
        escalate_if_due(tx, request, now)
        verdict = can_decide(request, actor.user, now, role=tx.role)
        if not verdict.allowed:
            raise (Gone if verdict.code == "expired" else Forbidden)(verdict.code, verdict.detail)
        _claim(request, actor.user, now)
        until = request.claimed_until.isoformat()
        tx.record(REQUEST_CLAIMED, request=request, until=until)
    return request


def release_request(*, request_id: UUID, actor: Actor) -> HitlRequest:
    """Everyone who may decide can do so again; without a claim, nothing happens.

    Only the claimant or an owner may release it.
    Raises NotFound, Forbidden, Conflict (`request_closed`).
    """
    where = ProjectOf("request", request_id)
    with ProjectTransaction(where, actor, require=DECIDE, missing="request") as tx:
        request, _ = lock_request(tx, request_id)
        _check_open(request)
        claimant = request.claimant_id(database_time())
        if claimant is None:
            return request
        _check_may_hand_on(tx, claimant)
        request.claimed_by = request.claimed_until = None
        request.save(update_fields=CLAIM)
        tx.record(REQUEST_RELEASED, request=request, user=claimant)
    return request


def reassign_request(*, request_id: UUID, actor: Actor, user: Any | None) -> HitlRequest:
    """Hand the claim to another member, as if they had claimed it.

    Only the claimant or an owner may; without a claim, anyone who decides. Raises NotFound,
    Forbidden, Conflict (`request_closed`), Unprocessable (`assignee_cannot_decide`).
    """
    where = ProjectOf("request", request_id)
    with ProjectTransaction(where, actor, require=DECIDE, missing="request") as tx:
        request, _ = lock_request(tx, request_id)
        _check_open(request)
        now = database_time()
        if (claimant := request.claimant_id(now)) is not None:
            _check_may_hand_on(tx, claimant)
        request.claimed_by = request.claimed_until = None
        verdict = can_decide(request, user, now) if user else None
        if verdict is None or not verdict.allowed:
            code = verdict.code or "invalid" if verdict else "not_a_member"
            # By an id nobody learns whose it is, or whether there is one.
            name = "This user" if code == "not_a_member" else user.get_username()
            detail = f"{name} cannot decide on it ({code})."
            error = {"field": "user", "code": code, "detail": detail}
            raise Unprocessable("assignee_cannot_decide", detail, errors=[error])
        _claim(request, user, now)
        tx.record(
            REQUEST_REASSIGNED,
            request=request,
            user=user.pk,
            username=user.get_username(),
            until=request.claimed_until.isoformat(),
        )
    return request


def _check_open(request: HitlRequest) -> None:
    if not request.is_pending:
        detail = f"The request is {request.status}; nobody has to decide on it any more."
        raise Conflict("request_closed", detail, request_status=request.status)


def _check_may_hand_on(tx: ProjectTransaction, claimant: int) -> None:
    if tx.actor.user.pk != claimant and tx.role != Role.OWNER:
        detail = "Only the person who has claimed it, or an owner, may release or reassign it."
        raise Forbidden("claimed", detail)


def _claim(request: HitlRequest, user: Any, now: Any) -> None:
    request.claimed_by = user
    request.claimed_until = now + timedelta(seconds=settings.HITL_CLAIM_SECONDS)
    request.save(update_fields=CLAIM)
