from datetime import datetime
from typing import Any
from uuid import UUID

from audit.actors import Actor
from core.errors import Conflict, Forbidden, Gone
from hitl.actions import DecisionInput, get_action
from hitl.digests import digest_of
from hitl.enums import OnTimeout, RequestStatus
from hitl.integrity import UNDECIDED, differences
from hitl.models import Decision, HitlRequest
from hitl.rules import (
    can_decide,
    check_action,
    check_assurance,
    comment_required,
    may_break_glass,
    obstacles,
)
from hitl.services.deadlines import escalate_if_due
from hitl.services.locks import lock_request_and_subject, time_for
from projects.access import READ
from projects.integrity import noted
from projects.transaction import ProjectOf, ProjectTransaction


def decide(
    *,
    request_id: UUID,
    actor: Actor,
    action: str,
    subject_digest: str,
    comment: str = "",
    content: Any = None,
    channel: str,
    assurance: str = "",
    break_glass: bool = False,
    on_behalf_of: Any = None,
) -> Decision:
    """Record a person's decision; once it settles the request, its task or action goes on.

    `subject_digest` is that of what the person was shown. `break_glass` goes past the rules on who
    may decide and how many, for the reason in `comment`, and leaves an event of its own.
    `assurance` says what made sure that it is this person. `on_behalf_of`: a user who is away and
    has asked the actor to decide for them; without it that happens where the actor could not as
    themselves.

    Raises NotFound, Forbidden (why not this person; `reauthentication_required`), Conflict
    (`already_decided`, `subject_changed`, `request_closed`, `integrity`), Gone (`expired`),
    Unprocessable (`comment_required`, `content_required`, `action_not_allowed`), InvalidInput.
    """
    where = ProjectOf("request", request_id)
    with noted(), ProjectTransaction(where, actor, require=READ, missing="request") as tx:
        request, task, subject, versions = lock_request_and_subject(tx, request_id)
        now = time_for(request)
        # A deadline that has passed comes first, whether or not the sweep was here.
        escalate_if_due(tx, request, now)
        bypassed = delegation = None
        if break_glass:
            if not may_break_glass(request, actor.user, role=tx.role):
                detail = "Only an owner of the project or a superuser decides past the rules."
                raise Forbidden("break_glass_not_allowed", detail)
            bypassed = tuple(obstacles(request, actor.user, now, role=tx.role))
        else:
            verdict = can_decide(request, actor.user, now, role=tx.role, on_behalf_of=on_behalf_of)
            # The state of the request is checked below, with more to say about it.
            if not verdict.allowed and verdict.code not in ("already_decided", "expired"):
                raise Forbidden(verdict.code, verdict.detail)
            delegation = verdict.delegation
        if request.status in UNDECIDED:
            for error in differences(request, task, versions):
                raise error
        check_open(request, actor, now)
        chosen = get_action(action)
        check_action(request, chosen, comment, content)
        if delegation is not None and chosen.key == "amend":
            # The text would be one person's, and its approval the other's.
            detail = "Whoever stands in writes nothing for somebody else. Request changes instead."
            raise Forbidden("amend_on_behalf", detail)
        if bypassed is not None:
            bypassed = tuple(dict.fromkeys((*bypassed, *chosen.obstacles(request))))
        assurance = check_assurance(request, assurance)
        data = DecisionInput(
            actor, chosen, comment.strip(), content, channel, assurance, bypassed, delegation
        )
        if data.is_break_glass and not data.comment:
            raise comment_required("To decide past the rules")
        # Only what was shown may be decided on, and only if it is what would go on now.
        if not subject_digest == request.subject_digest == digest_of(subject):
            detail = "This is not what you were shown. Read the request again, then decide."
            current = {"subject_digest": request.subject_digest}
            raise Conflict("subject_changed", detail, **current)
        if task is None:
            # Imported late: what follows from it may be another request.
            from hitl.agent_actions.decisions import apply_to_action

            return apply_to_action(tx, request, request.agent_action, data)
        return chosen.apply(tx, request, task, data)


def check_open(request: HitlRequest, actor: Actor, now: datetime) -> None:
    """Raises Gone or Conflict where this person can no longer decide on it."""
    is_timed_out = request.is_timed_out(now) and request.on_timeout != OnTimeout.ESCALATE
    if request.status == RequestStatus.EXPIRED or (request.is_pending and is_timed_out):
        raise Gone("expired", "The time for this decision has passed.")
    decision = None
    if not request.is_pending:
        decision = request.decisions.last()
    elif request.approvals:
        decision = request.decisions.of_person(actor.user).first()
    if decision is not None:
        raise Conflict(
            "already_decided",
            f"{decision.who} has decided already: {decision.action}.",
            decision=summary(decision),
            request_status=request.status,
        )
    if request.is_pending:
        return
    newer = request.next.order_by("created_at").last()
    raise Conflict(
        "request_closed" if newer is None else "subject_changed",
        f"The request is {request.status}; nothing more can be decided on it."
        + (" A newer request took its place." if newer else ""),
        request_status=request.status,
        **({"newer_request": str(newer.pk)} if newer else {}),
    )


def summary(decision: Decision) -> dict[str, Any]:
    """A decision in its short public form."""
    return {
        "id": str(decision.pk),
        "action": decision.action,
        "decided_by": decision.decided_by_id,
        "decided_by_username": decision.decided_by.get_username(),
        "on_behalf_of": decision.on_behalf_of_id,
        "comment": decision.comment,
        "created_at": decision.created_at.isoformat(),
    }
