"""The records that a decision leaves, and the end of a request."""

import json
from collections.abc import Sequence
from typing import Any

from core import sql
from hitl.actions import DecisionInput
from hitl.delegation import Delegation
from hitl.digests import digest_of
from hitl.enums import RequestStatus
from hitl.events import (
    BREAK_GLASS_USED,
    DECISION_RECORDED,
    REQUEST_CREATED,
    REQUEST_EXPIRED,
    REQUEST_RESOLVED,
    REQUEST_SUPERSEDED,
)
from hitl.metrics import DECISION_SECONDS, DECISIONS, REQUESTS_CLOSED
from hitl.models import Decision, HitlRequest
from hitl.selectors import unconfirmed_loosenings
from projects.transaction import ProjectTransaction

CLOSING_EVENTS = {
    RequestStatus.SUPERSEDED: REQUEST_SUPERSEDED,
    RequestStatus.EXPIRED: REQUEST_EXPIRED,
}


def record_decision(tx: ProjectTransaction, request: HitlRequest, data: DecisionInput) -> Decision:
    """The immutable record of what a person decided."""
    decision = _decision(tx, request, data)
    decision.save(force_insert=True)
    _note(tx, request, decision, data)
    return decision


def settle(
    tx: ProjectTransaction,
    request: HitlRequest,
    data: DecisionInput,
    versions: Sequence[dict[str, Any]] = (),
) -> Decision:
    """As `record_decision`, and the request ends with it. `versions`: whose status follows."""
    decision = _decision(tx, request, data)
    request.close(data.action.outcome)
    row = sql.fetch_one(
        "settle_request",
        request=request.pk,
        status=str(request.status),
        approvals=request.approvals,
        decision=decision.pk,
        action=decision.action,
        decided_by=decision.decided_by_id,
        on_behalf_of=decision.on_behalf_of_id,
        comment=decision.comment,
        content=None if decision.content is None else json.dumps(decision.content),
        subject_digest=decision.subject_digest,
        channel=decision.channel,
        is_break_glass=decision.is_break_glass,
        assurance=str(decision.assurance),
        loosenings=None if decision.loosenings is None else json.dumps(decision.loosenings),
    )
    if row is None:
        raise RuntimeError(f"request {request.pk} has an outcome already")
    decision.created_at = request.resolved_at = row[0]
    sql.mark_saved(decision)
    _note(tx, request, decision, data)
    tx.record(
        REQUEST_RESOLVED,
        request=request,
        status=str(request.status),
        kind=request.kind,
        step=request.step,
        versions=[{name: output[name] for name in ("artifact", "version")} for output in versions],
    )
    tx.request_advance()
    return decision


def _decision(tx: ProjectTransaction, request: HitlRequest, data: DecisionInput) -> Decision:
    return Decision(
        request=request,
        action=data.action.key,
        decided_by=data.actor.user,
        on_behalf_of=data.delegation.delegator if data.delegation else None,
        comment=data.comment,
        content=data.content if data.action.needs_content else None,
        subject_digest=request.subject_digest,
        channel=data.channel,
        is_break_glass=data.is_break_glass,
        assurance=data.assurance,
        # Looked up only where there is one: the project's row is here already.
        loosenings=unconfirmed_loosenings(tx.project) if tx.project.policy_loosened_at else None,
    )


def _note(
    tx: ProjectTransaction, request: HitlRequest, decision: Decision, data: DecisionInput
) -> None:
    tx.record(
        DECISION_RECORDED,
        request=request,
        decision=str(decision.pk),
        action=data.action.key,
        comment=data.comment,
        subject_digest=request.subject_digest,
        approvals=request.approvals,
        required_approvals=request.required_approvals,
        assurance=data.assurance,
        **({"content_digest": digest_of(decision.content)} if decision.content else {}),
        **({"loosenings": decision.loosenings} if decision.loosenings else {}),
        **(_stood_in(data.delegation) if data.delegation else {}),
    )
    if data.bypassed is not None:
        tx.record(
            BREAK_GLASS_USED,
            request=request,
            decision=str(decision.pk),
            action=data.action.key,
            reason=data.comment,
            bypassed=list(data.bypassed),
        )

    def count() -> None:
        DECISIONS.labels(data.action.key, data.channel).inc()
        seconds = (decision.created_at - request.created_at).total_seconds()
        DECISION_SECONDS.labels(str(request.kind)).observe(max(0.0, seconds))

    tx.on_commit(count)


def _stood_in(delegation: Delegation) -> dict[str, Any]:
    return {
        "on_behalf_of": delegation.delegator_id,
        "on_behalf_of_name": delegation.delegator.get_username(),
        "delegation": str(delegation.pk),
    }


def note_created(tx: ProjectTransaction, request: HitlRequest, **data: Any) -> None:
    """In the log: people are asked, and by which rules."""
    tx.record(
        REQUEST_CREATED,
        request=request,
        kind=request.kind,
        title=request.title,
        step=request.step,
        subject_digest=request.subject_digest,
        previous=str(request.previous_id) if request.previous_id else None,
        required_approvals=request.required_approvals,
        prevents_self_approval=request.prevents_self_approval,
        needs_reauthentication=request.needs_reauthentication,
        deciding_roles=request.deciding_roles,
        barred_authors=request.barred_authors,
        due_at=request.due_at.isoformat() if request.due_at else None,
        expires_at=request.expires_at.isoformat() if request.expires_at else None,
        **data,
    )


def close_request(
    tx: ProjectTransaction, request: HitlRequest, status: RequestStatus, **data: Any
) -> None:
    """End it without a decision."""
    request.close(status)
    outcome = {"status": status, "resolved_at": request.resolved_at}
    # By compare-and-set, a second guard beside the locks: an outcome never changes.
    if HitlRequest.objects.pending().filter(pk=request.pk).update(**outcome) != 1:
        raise RuntimeError(f"request {request.pk} has an outcome already")
    closed = REQUESTS_CLOSED.labels(str(request.kind), str(status))
    tx.on_commit(closed.inc)
    event_type = CLOSING_EVENTS.get(status, REQUEST_RESOLVED)
    tx.record(event_type, request=request, status=str(status), step=request.step, **data)
