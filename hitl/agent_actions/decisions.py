"""What follows from a person's decision on an action."""

import json
from datetime import datetime, timedelta
from typing import Any

import jsonschema
from django.utils.dateparse import parse_datetime

from agents.enums import RequestKind
from core.errors import InvalidInput, Unprocessable
from hitl.actions import DecisionInput
from hitl.agent_actions.asks import (
    approved_for,
    facts_of,
    open_action_request,
)
from hitl.agent_actions.claims import finish_action
from hitl.agent_actions.digests import call_digest, canonical_text, check_texts, digest_of_action
from hitl.enums import ActionStatus
from hitl.events import ACTION_DECIDED, STANDING_APPROVAL_GIVEN
from hitl.models import AgentAction, Decision, HitlRequest, StandingApproval
from hitl.separation_of_duties import forbids_self_approval
from hitl.services.locks import database_time
from hitl.services.records import record_decision, settle
from projects.transaction import ProjectTransaction

DECIDED = ["status", "decided_at", "approved_until", "answer", "finished_at"]
# What a person says of an action that nobody has reported on.
WHAT_HAPPENED = ("succeeded", "failed", "not_executed", "allow_once_more")
FOLLOW_UP_HOURS = 8
FOLLOW_UP_MAX = 100


def apply_to_action(
    tx: ProjectTransaction, request: HitlRequest, action: AgentAction, data: DecisionInput
) -> Decision:
    """Record the decision, and let the action go on by it. Everything is locked and allowed."""
    now = database_time()
    if request.kind == RequestKind.ESCALATION:
        return _say_what_happened(tx, request, action, data, now)
    match data.action.key:
        case "approve":
            return _approve(tx, request, action, data, now)
        case "amend":
            return _amend(tx, request, action, data, now)
        case "answer":
            answer = _checked_answer(action, data.content)
            decision = settle(tx, request, data)
            action.answer = canonical_text(answer)
            _close(tx, action, ActionStatus.ANSWERED, now)
            return decision
        case _:
            decision = settle(tx, request, data)
            _close(tx, action, ActionStatus.DENIED, now)
            return decision


def _approve(
    tx: ProjectTransaction,
    request: HitlRequest,
    action: AgentAction,
    data: DecisionInput,
    now: datetime,
) -> Decision:
    follow_up = _checked_follow_up(action, data.content, now)
    request.approvals += 1
    if request.approvals < request.required_approvals and not data.is_break_glass:
        if follow_up:
            detail = "Further calls can be approved only where one approval is enough."
            raise Unprocessable("follow_up_not_allowed", detail)
        request.claimed_by = request.claimed_until = None
        request.save(update_fields=["approvals", "claimed_by", "claimed_until"])
        return record_decision(tx, request, data)
    decision = settle(tx, request, data)
    _close(tx, action, ActionStatus.APPROVED, now)
    if follow_up:
        rule = StandingApproval.objects.create(
            project=tx.project,
            credential=action.credential,
            agent_name=action.agent["name"],
            tool=action.tool,
            given_by=data.actor.user,
            decision=decision,
            **follow_up,
        )
        tx.record(
            STANDING_APPROVAL_GIVEN,
            request=request,
            **facts_of(action),
            rule=str(rule.pk),
            uses_max=rule.uses_max,
            expires_at=rule.expires_at.isoformat(),
        )
    return decision


def _amend(
    tx: ProjectTransaction,
    request: HitlRequest,
    action: AgentAction,
    data: DecisionInput,
    now: datetime,
) -> Decision:
    """The arguments become the person's own, with a digest of their own."""
    arguments = _checked_arguments(action, data.content)
    decision = settle(tx, request, data)
    action.asked_arguments = action.asked_arguments or action.arguments
    action.arguments = canonical_text(arguments)
    action.action_digest = digest_of_action(action)
    action.call_digest = call_digest(action.tool, arguments)
    action.save(update_fields=["asked_arguments", "arguments", "action_digest", "call_digest"])
    is_shared = request.required_approvals > 1 or forbids_self_approval(request)
    if is_shared and not data.is_break_glass:
        # Nobody approves their own words alone: another person is asked about them.
        amenders = (data.actor.user.pk, *(request.barred_authors or ()))
        open_action_request(tx, action, previous=request, also_barred=amenders)
    else:
        _close(tx, action, ActionStatus.APPROVED, now)
    return decision


def _say_what_happened(
    tx: ProjectTransaction,
    request: HitlRequest,
    action: AgentAction,
    data: DecisionInput,
    now: datetime,
) -> Decision:
    answer = data.content.strip() if isinstance(data.content, str) else data.content
    if answer not in WHAT_HAPPENED:
        detail = f"Answer with one of {', '.join(WHAT_HAPPENED)}."
        raise InvalidInput.of("content", "invalid_choice", detail)
    decision = settle(tx, request, data)
    if answer == "allow_once_more":
        _close(tx, action, ActionStatus.APPROVED, now)
    else:
        finish_action(tx, action, ActionStatus(answer), result=action.result, error=action.error)
    return decision


def _close(
    tx: ProjectTransaction, action: AgentAction, status: ActionStatus, now: datetime
) -> None:
    action.move(status)
    action.decided_at = now
    if status == ActionStatus.APPROVED:
        action.approved_until = now + approved_for(action)
    action.save(update_fields=DECIDED)
    note_decided(tx, action)


def note_decided(tx: ProjectTransaction, action: AgentAction, **data: Any) -> None:
    until = action.approved_until
    tx.record(
        ACTION_DECIDED,
        **facts_of(action),
        status=str(action.status),
        approved_until=until.isoformat() if until else None,
        **data,
    )


def _checked_arguments(action: AgentAction, content: Any) -> Any:
    if not isinstance(content, dict):
        raise InvalidInput.of("content", "invalid", "Send the changed arguments as an object.")
    check_texts(content)
    if action.edit_schema is not None:
        _check_by_schema(action.edit_schema, content)
    return content


def _checked_answer(action: AgentAction, content: Any) -> Any:
    check_texts(content)
    if action.response_schema is not None:
        _check_by_schema(action.response_schema, content)
    elif not isinstance(content, str) or not content.strip():
        raise InvalidInput.of("content", "invalid", "Send the answer as text.")
    return content


def _check_by_schema(schema: dict[str, Any], content: Any) -> None:
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(content))
    if errors:
        raise InvalidInput(
            "invalid",
            f"content: {errors[0].message[:300]}",
            errors=[
                {
                    "field": ".".join(["content", *map(str, error.absolute_path)]),
                    "code": "invalid",
                    "detail": error.message[:500],
                }
                for error in errors[:20]
            ],
        )


def _checked_follow_up(action: AgentAction, content: Any, now: datetime) -> dict[str, Any] | None:
    """`{"follow_up": {"count", "bounds", "until"?}}` with an approval: up to so many calls more."""
    if content in (None, {}, ""):
        return None
    follow_up = content.get("follow_up") if isinstance(content, dict) else None
    if not isinstance(follow_up, dict) or set(content) != {"follow_up"}:
        raise InvalidInput.of("content", "invalid", "An approval takes `follow_up` or nothing.")
    field = "content.follow_up"
    if unknown := set(follow_up) - {"count", "bounds", "until"}:
        raise InvalidInput.of(f"{field}.{min(unknown)}", "unknown_field", "Unknown field.")
    count = follow_up.get("count")
    if type(count) is not int or not 1 <= count <= FOLLOW_UP_MAX:
        detail = f"Approve 1 to {FOLLOW_UP_MAX} further calls."
        raise InvalidInput.of(f"{field}.count", "out_of_range", detail)
    latest = now + timedelta(hours=FOLLOW_UP_HOURS)
    until = follow_up.get("until")
    try:
        expires_at = latest if until is None else parse_datetime(until)
    except (TypeError, ValueError):
        expires_at = None
    if expires_at is None or expires_at.tzinfo is None or not now < expires_at <= latest:
        detail = f"Send a time with its zone, at most {FOLLOW_UP_HOURS} hours ahead."
        raise InvalidInput.of(f"{field}.until", "out_of_range", detail)
    bounds = follow_up.get("bounds")
    if not isinstance(bounds, dict) or not bounds:
        detail = "Say within which bounds, as a JSON Schema of the arguments."
        raise InvalidInput.of(f"{field}.bounds", "required", detail)
    from hitl.agent_actions.asks import check_schema

    check_schema(f"{field}.bounds", bounds)
    if not jsonschema.Draft202012Validator(bounds).is_valid(json.loads(action.arguments)):
        detail = "This very call is outside of the bounds."
        raise InvalidInput.of(f"{field}.bounds", "excludes_this", detail)
    return {"bounds": bounds, "uses_max": count, "expires_at": expires_at}
