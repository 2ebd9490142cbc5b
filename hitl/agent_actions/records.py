"""How an action changes its status, and what the log says of it."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from agents.models import Task
from agents.services import resume_call
from audit.actors import Actor
from hitl.enums import ActionStatus, RequestStatus
from hitl.events import ACTION_CLOSED, ACTION_DECIDED, ACTION_FINISHED
from hitl.models import AgentAction, Decision
from hitl.services.records import close_request
from projects.transaction import ProjectTransaction

DECIDED = ["status", "decided_at", "approved_until", "answer", "rule", "finished_at"]
#: What our own agent is told of a call that it asked for.
VERDICTS = {
    ActionStatus.APPROVED: "approved",
    ActionStatus.DENIED: "denied",
    ActionStatus.ANSWERED: "answered",
    ActionStatus.EXPIRED: "expired",
}
ENDED = ["status", "lease_expires_at", "result", "error", "finished_at"]


def facts_of(action: AgentAction) -> dict[str, Any]:
    """For events: names, ids and digests, never arguments."""
    return {
        "action": str(action.pk),
        "tool": action.tool["name"],
        "server": action.tool.get("server", ""),
        "agent": action.agent["name"],
        "action_digest": action.action_digest,
        "credential": str(action.credential_id) if action.credential_id else None,
    }


def settle_action(
    tx: ProjectTransaction, action: AgentAction, status: ActionStatus, now: datetime, **data: Any
) -> None:
    """By a person's word: their decision, or one that they gave ahead. `data` is for the event."""
    action.move(status)
    action.decided_at = now
    # One of our own agents goes on as soon as its worker can, and asks no more.
    if status == ActionStatus.APPROVED and action.task_id is None:
        action.approved_until = now + timedelta(seconds=settings.ACTION_APPROVED_SECONDS)
    action.save(update_fields=DECIDED)
    until = action.approved_until
    tx.record(
        ACTION_DECIDED,
        **facts_of(action),
        status=str(action.status),
        approved_until=until.isoformat() if until else None,
        **data,
    )
    tell_own_agent(tx, action)


def close_action(
    tx: ProjectTransaction,
    action: AgentAction,
    status: ActionStatus,
    reason: str,
    *,
    actor: Actor | None = None,
) -> None:
    """End it, and the request about it, without a decision."""
    request_status = {
        ActionStatus.EXPIRED: RequestStatus.EXPIRED,
        ActionStatus.SUPERSEDED: RequestStatus.SUPERSEDED,
    }.get(status, RequestStatus.CANCELLED)
    for request in action.requests.filter(status=RequestStatus.PENDING):
        request.project = tx.project
        close_request(tx, request, request_status, action=str(action.pk))
    action.move(status)
    action.save(update_fields=["status", "finished_at"])
    tx.record(
        ACTION_CLOSED,
        actor=actor,
        **facts_of(action),
        status=str(status),
        reason=reason[:500],
    )
    tell_own_agent(tx, action)


def tell_own_agent(tx: ProjectTransaction, action: AgentAction) -> None:
    """Where one of ours waits at its task: it goes on with what became of its call."""
    status = VERDICTS.get(ActionStatus(action.status))
    if action.task_id is None or status is None:
        return
    decision = Decision.objects.filter(request__agent_action=action).order_by("created_at").last()
    verdict = {"status": status, "text": decision.comment if decision else ""}
    if action.status == ActionStatus.ANSWERED:
        verdict["text"] = json.loads(action.answer)
    if action.asked_arguments:
        verdict["arguments"] = json.loads(action.arguments)
    resume_call(tx, tx.lock(Task, action.task_id), action=action.pk, verdict=verdict)


def finish_action(
    tx: ProjectTransaction,
    action: AgentAction,
    outcome: ActionStatus,
    *,
    result: str = "",
    error: str = "",
) -> None:
    action.move(outcome)
    action.result, action.error = result, error
    action.save(update_fields=ENDED)
    tx.record(ACTION_FINISHED, **facts_of(action), status=str(outcome), fence=action.fence)


def etag_of_state(status: str, request: Any, digest: str) -> str:
    """Of what a waiting client would want to learn. `request`: the newest one about it."""
    return f'"{status}-{request}-{digest[-16:]}"'
