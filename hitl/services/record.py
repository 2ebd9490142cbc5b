"""The records that a decision leaves, and the end of a request."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft
from hitl.enums import Action, RequestStatus
from hitl.metrics import DECISION_SECONDS, DECISIONS, REQUESTS_CLOSED
from hitl.models import Decision, HitlRequest

OUTCOME = ("status", "resolved_at", "approvals")


@dataclass(frozen=True)
class Word:
    """What a person says. `bypassed`: the rules that break-glass goes past, None without it."""

    actor: Actor
    action: Action
    comment: str
    content: Any
    channel: str
    bypassed: tuple[str, ...] | None = None

    @property
    def is_break_glass(self) -> bool:
        return self.bypassed is not None


def record_word(request: HitlRequest, word: Word) -> tuple[Decision, list[Draft]]:
    """The immutable record of what a person said."""
    has_content = word.action in {Action.AMEND, Action.ANSWER}
    decision = Decision.objects.create(
        request=request,
        action=word.action,
        decided_by=word.actor.user,
        comment=word.comment,
        content=word.content if has_content else None,
        subject_digest=request.subject_digest,
        channel=word.channel,
        is_break_glass=word.is_break_glass,
    )
    transaction.on_commit(lambda: _count(request, decision), robust=True)
    said = {
        "decision": str(decision.pk),
        "action": str(word.action),
        "comment": word.comment,
        "subject_digest": request.subject_digest,
        "approvals": request.approvals,
        "required_approvals": request.required_approvals,
    }
    drafts = [_draft(EventType.HITL_DECISION_RECORDED, request, word.actor, said)]
    if word.bypassed is not None:
        past = {
            "decision": str(decision.pk),
            "action": str(word.action),
            "reason": word.comment,
            "bypassed": list(word.bypassed),
        }
        drafts.append(_draft(EventType.HITL_BREAK_GLASS_USED, request, word.actor, past))
    return decision, drafts


def _count(request: HitlRequest, decision: Decision) -> None:
    DECISIONS.labels(str(decision.action), decision.channel).inc()
    waited = (decision.created_at - request.created_at).total_seconds()
    DECISION_SECONDS.labels(str(request.kind)).observe(max(0.0, waited))


def record_and_settle(request: HitlRequest, word: Word) -> tuple[Decision, list[Draft]]:
    """As `record_word`, and the request ends with it."""
    decision, drafts = record_word(request, word)
    request.resolve(word.action)
    save_outcome(request)
    settled = {"status": str(request.status), "kind": request.kind, "step": request.step}
    resolved = _draft(EventType.HITL_REQUEST_RESOLVED, request, word.actor, settled)
    return decision, [*drafts, resolved]


def close_request(
    request: HitlRequest, status: RequestStatus, actor: Actor, **said: Any
) -> list[Draft]:
    """It ends without anybody's decision."""
    request.close(status)
    save_outcome(request)
    closed = REQUESTS_CLOSED.labels(str(request.kind), str(status))
    transaction.on_commit(lambda: closed.inc(), robust=True)
    event_type = {
        RequestStatus.SUPERSEDED: EventType.HITL_REQUEST_SUPERSEDED,
        RequestStatus.EXPIRED: EventType.HITL_REQUEST_EXPIRED,
    }.get(status, EventType.HITL_REQUEST_RESOLVED)
    data = {"status": str(status), "step": request.step, **said}
    return [_draft(event_type, request, actor, data)]


def save_outcome(request: HitlRequest) -> None:
    """By compare-and-set: beside the locks, nothing that has an outcome can get another one."""
    outcome = {name: getattr(request, name) for name in OUTCOME}
    if HitlRequest.objects.pending().filter(pk=request.pk).update(**outcome) != 1:
        raise RuntimeError(f"request {request.pk} has an outcome already")


def _draft(
    event_type: EventType, request: HitlRequest, actor: Actor, data: dict[str, Any]
) -> Draft:
    return Draft(event_type, actor, data, task=request.task_id, hitl_request=request.pk)
