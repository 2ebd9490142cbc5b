from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from agents.models import Task
from audit.actors import Actor
from core.errors import Conflict, Forbidden, Gone, InvalidInput
from core.text import is_storable
from hitl.actions import DecisionInput, get_action
from hitl.enums import OnTimeout, RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.rules import can_decide, check_action, comment_required, may_break_glass, obstacles
from hitl.services.deadlines import escalate_if_due
from hitl.services.locks import lock_request, time_for
from hitl.subject import digest_of, subject_of
from projects.access import READ
from projects.transaction import ProjectTransaction

COMMENT_MAX_LENGTH = 10_000
# Not about the person: these have answers of their own.
OF_STATE = {"already_decided", "expired"}


def decide(
    *,
    request_id: UUID,
    actor: Actor,
    action: str,
    subject_digest: str,
    comment: str = "",
    content: Any = None,
    channel: str,
    break_glass: bool = False,
) -> Decision:
    """Record a person's decision; once it settles the request, its task and the work go on.

    `subject_digest` is that of what the person was shown. `break_glass` goes past the rules on who
    may decide and how many, for the reason in `comment`, and leaves an event of its own.

    Raises NotFound, Forbidden (why not this person), Conflict (`already_decided`,
    `subject_changed`, `request_closed`), Gone (`expired`), Unprocessable (`comment_required`,
    `content_required`, `action_not_allowed`), InvalidInput.
    """
    with ProjectTransaction(
        Q(hitl_requests=request_id), actor, require=READ, missing="request"
    ) as tx:
        request, task = lock_request(tx, request_id)
        now = time_for(request)
        # What time has done comes first, whether or not the sweep was here.
        escalate_if_due(tx, request, now)
        bypassed = _check_person(tx, request, now, is_break_glass=break_glass)
        _check_pending(request, actor, now)
        chosen = get_action(action)
        data = DecisionInput(actor, chosen, _clean(comment), content, channel, bypassed)
        check_action(request, chosen, data.comment, content)
        if data.is_break_glass and not data.comment:
            raise comment_required("To decide past the rules")
        _check_shown(request, task, subject_digest)
        return chosen.apply(tx, request, task, data)


def _check_person(
    tx: ProjectTransaction, request: HitlRequest, now: datetime, *, is_break_glass: bool
) -> tuple[str, ...] | None:
    """The codes of the rules that break-glass goes past; None without it. Raises Forbidden."""
    user = tx.actor.user
    if is_break_glass:
        if not may_break_glass(request, user, role=tx.role):
            detail = "Only an owner of the project or a superuser decides past the rules."
            raise Forbidden("break_glass_not_allowed", detail)
        return tuple(obstacles(request, user, now, role=tx.role))
    verdict = can_decide(request, user, now, role=tx.role)
    if not verdict.allowed and verdict.code not in OF_STATE:
        raise Forbidden(verdict.code, verdict.detail)
    return None


def _check_pending(request: HitlRequest, actor: Actor, now: datetime) -> None:
    if request.is_pending:
        if request.is_timed_out(now) and request.on_timeout != OnTimeout.ESCALATE:
            raise Gone("expired", "The time for this decision has passed.")
        if request.approvals and (own := request.decisions.filter(decided_by=actor.user).first()):
            raise _decided(request, own)
        return
    if request.status == RequestStatus.EXPIRED:
        raise Gone("expired", "The time for this decision has passed.")
    if standing := request.decisions.last():
        raise _decided(request, standing)
    newer = request.next.order_by("created_at").last()
    raise Conflict(
        "request_closed" if newer is None else "subject_changed",
        f"The request is {request.status}; nothing more can be decided on it."
        + (" A newer request took its place." if newer else ""),
        request_status=request.status,
        **({"newer_request": str(newer.pk)} if newer else {}),
    )


def _decided(request: HitlRequest, standing: Decision) -> Conflict:
    return Conflict(
        "already_decided",
        f"{standing.decided_by.get_username()} has decided already: {standing.action}.",
        decision=summary(standing),
        request_status=request.status,
    )


def summary(decision: Decision) -> dict[str, Any]:
    """A decision in its short public form."""
    return {
        "id": str(decision.pk),
        "action": decision.action,
        "decided_by": decision.decided_by_id,
        "decided_by_username": decision.decided_by.get_username(),
        "comment": decision.comment,
        "created_at": decision.created_at.isoformat(),
    }


def _clean(comment: str) -> str:
    if len(comment) > COMMENT_MAX_LENGTH:
        detail = f"Shorten the comment to at most {COMMENT_MAX_LENGTH:,} characters."
        raise InvalidInput.of("comment", "max_length", detail)
    if not is_storable(comment):
        raise InvalidInput.of("comment", "binary", "The comment is not plain text.")
    return comment.strip()


def _check_shown(request: HitlRequest, task: Task, subject_digest: str) -> None:
    """Only what was shown may be decided on, and only if it is what would go on now."""
    current = digest_of(subject_of(task))
    if subject_digest == request.subject_digest == current:
        return
    raise Conflict(
        "subject_changed",
        "What you were shown is not what would go on now. Read the request again, then decide.",
        subject_digest=request.subject_digest,
    )
