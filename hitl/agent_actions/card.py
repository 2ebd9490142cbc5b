"""What a person reads of an action before they decide: the literal call first, then claims."""

import json
from dataclasses import dataclass
from typing import Any

from agents.enums import RequestKind
from hitl.models import AgentAction, HitlRequest

EARLIER_MAX = 5
CONSEQUENCES = {
    "approve": "The agent may make exactly this call, once.",
    "amend": "Your arguments replace the agent's, with a digest of their own.",
    "reject": "The agent is told no, with your reason. Nothing runs, and the project goes on.",
    "answer": "Nothing runs. The agent gets your answer instead.",
}
WHAT_HAPPENED = (
    "Find out whether it happened, and answer with succeeded, failed, not_executed or "
    "allow_once_more."
)


@dataclass(frozen=True)
class Card:
    """`arguments` are complete; `earlier` are the same call before, newest first."""

    action: AgentAction
    arguments: Any
    asked_arguments: Any
    is_destructive: bool
    earlier: list[AgentAction]

    @property
    def facts(self) -> dict[str, str]:
        """Of the literal call."""
        action = self.action
        subject = action.subject or {}
        facts = {
            "tool": action.tool["name"],
            "server": action.tool.get("server", ""),
            "schema digest": action.tool.get("schema_digest", ""),
            "agent": action.agent["name"],
            "acts for": " ".join(filter(None, (subject.get("type"), subject.get("id")))),
            "effect": action.effect,
            "status": action.status,
            "digest": action.action_digest,
        }
        return {name: value for name, value in facts.items() if value}


def card_of(request: HitlRequest) -> Card | None:
    """None of a request about a task."""
    action = request.agent_action
    if action is None:
        return None
    earlier = AgentAction.objects.filter(
        project=action.project_id, call_digest=action.call_digest, created_at__lt=action.created_at
    )
    return Card(
        action=action,
        arguments=json.loads(action.arguments),
        asked_arguments=json.loads(action.asked_arguments) if action.asked_arguments else None,
        is_destructive=bool(action.hints.get("destructiveHint")),
        earlier=list(earlier.order_by("-created_at")[:EARLIER_MAX]),
    )


def consequence_of(request: HitlRequest, key: str) -> str:
    if request.kind == RequestKind.ESCALATION:
        return WHAT_HAPPENED
    return CONSEQUENCES[key]
