"""What follows from a person's decision on an action."""

from datetime import datetime

from agents.enums import RequestKind
from core.errors import InvalidInput, Unprocessable
from hitl.actions import DecisionInput
from hitl.agent_actions.asks import open_action_request
from hitl.agent_actions.digests import call_digest, canonical_text, digest_of_action
from hitl.agent_actions.records import facts_of, finish_action, settle_action
from hitl.agent_actions.schemas import checked_answer, checked_arguments
from hitl.agent_actions.standing_approvals import checked_follow_up
from hitl.digests import digest_of
from hitl.enums import ActionStatus
from hitl.events import STANDING_APPROVAL_GIVEN
from hitl.models import AgentAction, Decision, HitlRequest, StandingApproval
from hitl.separation_of_duties import needs_another_person
from hitl.services.locks import database_time
from hitl.services.records import record_decision, settle
from projects.transaction import ProjectTransaction

# What a person says of an action that nobody has reported on.
WHAT_HAPPENED = ("succeeded", "failed", "not_executed", "allow_once_more")


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
            answer = checked_answer(action, data.content)
            decision = settle(tx, request, data)
            action.answer = canonical_text(answer)
            settle_action(tx, action, ActionStatus.ANSWERED, now)
            return decision
        case _:
            decision = settle(tx, request, data)
            settle_action(tx, action, ActionStatus.DENIED, now)
            return decision


def _approve(
    tx: ProjectTransaction,
    request: HitlRequest,
    action: AgentAction,
    data: DecisionInput,
    now: datetime,
) -> Decision:
    follow_up = checked_follow_up(action, data.content, now)
    request.approvals += 1
    if request.approvals < request.required_approvals and not data.is_break_glass:
        if follow_up:
            detail = "Further calls can be approved only where one approval is enough."
            raise Unprocessable("follow_up_not_allowed", detail)
        request.claimed_by = request.claimed_until = None
        request.save(update_fields=["approvals", "claimed_by", "claimed_until"])
        return record_decision(tx, request, data)
    decision = settle(tx, request, data)
    settle_action(tx, action, ActionStatus.APPROVED, now)
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
            bounds_digest=digest_of(rule.bounds),
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
    arguments = checked_arguments(action, data.content)
    decision = settle(tx, request, data)
    action.asked_arguments = action.asked_arguments or action.arguments
    action.arguments = canonical_text(arguments)
    action.action_digest = digest_of_action(action)
    action.call_digest = call_digest(action.tool, arguments)
    action.save(update_fields=["asked_arguments", "arguments", "action_digest", "call_digest"])
    if needs_another_person(request) and not data.is_break_glass:
        # Nobody approves their own words alone: another person is asked about them.
        amenders = (data.actor.user.pk, *(request.barred_authors or ()))
        open_action_request(tx, action, previous=request, also_barred=amenders)
    else:
        settle_action(tx, action, ActionStatus.APPROVED, now)
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
        settle_action(tx, action, ActionStatus.APPROVED, now)
    else:
        finish_action(tx, action, ActionStatus(answer), result=action.result, error=action.error)
    return decision
