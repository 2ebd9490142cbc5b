"""What a person reads of an action before they decide: the literal call first, then claims."""

import json
from dataclasses import dataclass
from typing import Any

from agents.enums import RequestKind
from agents.services.budgets import budget_of, money
from context.diff import changes_between
from context.models import ArtifactVersion
from hitl.agent_actions.asks import changed_versions
from hitl.agent_actions.digests import changed_call
from hitl.enums import ActionStatus
from hitl.models import AgentAction, Decision, HitlRequest
from hitl.separation_of_duties import needs_another_person

EARLIER_MAX = 5
# The last call of the same tool is looked for among so many.
LOOKED_THROUGH = 1_000
CONSEQUENCES = {
    "approve": "The agent may make exactly this call, once.",
    "amend": "Your arguments replace the agent's, with a digest of their own.",
    "reject": "The agent is told no, with your reason. Nothing runs, and the project goes on.",
    "answer": "Nothing runs. The agent gets your answer instead.",
}
ANOTHER_PERSON = " Another person has to approve them; until then nothing runs."
WHAT_HAPPENED = (
    "Find out whether it happened, and answer with succeeded, failed, not_executed or "
    "allow_once_more."
)
COST_UNKNOWN = "the agent runs elsewhere; what it costs is not counted here"
# What it rests on matters until it is begun, and where it has ended it.
RESTS = (ActionStatus.PENDING, ActionStatus.APPROVED, ActionStatus.SUPERSEDED)


@dataclass(frozen=True)
class EarlierCall:
    """The same call before, by whoever, and what people said of it."""

    action: AgentAction
    decisions: list[Decision]


@dataclass(frozen=True)
class LastCall:
    """The last other call of the same tool, and how the arguments differ from its."""

    action: AgentAction
    changes: list[dict[str, Any]]


@dataclass(frozen=True)
class StaleVersion:
    """A version that the call rests on, and the one that has taken its place; None: gone."""

    old: ArtifactVersion
    new: ArtifactVersion | None

    @property
    def is_comparable(self) -> bool:
        """Whether both contents are what they were."""
        return self.new is not None and self.old.is_intact and self.new.is_intact


@dataclass(frozen=True)
class Card:
    """`arguments` are complete; `earlier` are the same call before, newest first."""

    action: AgentAction
    arguments: Any
    asked_arguments: Any
    is_destructive: bool
    earlier: list[EarlierCall]
    last: LastCall | None
    stale: list[StaleVersion]
    budget: str

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """By the tool's own hints: how grave it is, and what it is."""
        hints = self.action.hints
        if not hints:
            return [("warn", "The agent does not say whether it may destroy anything.")]
        warnings = []
        if hints.get("destructiveHint"):
            warnings.append(("bad", "It may delete or overwrite."))
        if hints.get("openWorldHint"):
            warnings.append(("warn", "It reaches outside of this installation."))
        return warnings

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
            "budget": self.budget,
            "status": action.status,
            "digest": action.action_digest,
        }
        return {name: value for name, value in facts.items() if value}

    @property
    def may_be_refused(self) -> bool:
        """Approved or not: what it rests on has changed, so no claim of it succeeds."""
        return bool(self.stale) and self.action.status != ActionStatus.SUPERSEDED


def card_of(request: HitlRequest) -> Card | None:
    """None of a request about a task."""
    action = request.agent_action
    if action is None:
        return None
    arguments = json.loads(action.arguments)
    return Card(
        action=action,
        arguments=arguments,
        asked_arguments=json.loads(action.asked_arguments) if action.asked_arguments else None,
        is_destructive=bool(action.hints.get("destructiveHint")),
        earlier=_earlier_calls(action),
        last=_last_call(action, arguments),
        stale=stale_versions(action) if action.status in RESTS else [],
        budget=_budget_text(action),
    )


def _budget_text(action: AgentAction) -> str:
    """What the agent goes on to spend, where its models are called from here."""
    if action.task_id is None:
        return COST_UNKNOWN
    budget = budget_of(action.project)
    spent, limit = f"${money(budget['spent_micros'])}", budget["limit_micros"]
    if limit is None:
        return f"{spent} spent in the project, which has no limit"
    held = f"${money(budget['reserved_micros'])} held back for calls under way"
    return f"{spent} of ${money(limit)} spent in the project, {held}; the agent goes on from there"


def _before(action: AgentAction) -> Any:
    before = AgentAction.objects.filter(project=action.project_id, created_at__lt=action.created_at)
    return before.order_by("-created_at", "-id")


def _earlier_calls(action: AgentAction) -> list[EarlierCall]:
    earlier = _before(action).filter(call_digest=action.call_digest)
    earlier = earlier.prefetch_related(
        "requests__decisions__decided_by", "requests__decisions__on_behalf_of"
    )
    calls = []
    for call in earlier.defer("continuation", "result")[:EARLIER_MAX]:
        if (call.tool, call.arguments) != (action.tool, action.arguments):
            continue  # somebody changed the row
        decisions = [d for request in call.requests.all() for d in request.decisions.all()]
        calls.append(EarlierCall(call, sorted(decisions, key=lambda d: d.created_at)))
    return calls


def _last_call(action: AgentAction, arguments: Any) -> LastCall | None:
    """None where there was none, or where it was changed behind our back."""
    recent = _before(action).values("pk")[:LOOKED_THROUGH]
    same_tool = _before(action).filter(pk__in=recent, tool__name=action.tool["name"])
    if server := action.tool.get("server"):
        same_tool = same_tool.filter(tool__server=server)
    else:
        same_tool = same_tool.exclude(tool__has_key="server")
    last = same_tool.defer("continuation", "result").first()
    if last is None or changed_call(last) is not None:
        return None
    return LastCall(last, list(changes_between(json.loads(last.arguments), arguments)))


def stale_versions(action: AgentAction) -> list[StaleVersion]:
    """What it rests on and has newer versions by now; left out: what is gone altogether."""
    stale = []
    for changed in changed_versions(action):
        versions = ArtifactVersion.objects.filter(
            artifact=changed["artifact"], number__in=(changed["version"], changed["newest"])
        )
        by_number = {v.number: v for v in versions.select_related("artifact", "author")}
        if (old := by_number.get(changed["version"])) is not None:
            stale.append(StaleVersion(old, by_number.get(changed["newest"])))
    return stale


def consequence_of(request: HitlRequest, key: str) -> str:
    if request.kind == RequestKind.ESCALATION:
        return WHAT_HAPPENED
    more = ANOTHER_PERSON if key == "amend" and needs_another_person(request) else ""
    return CONSEQUENCES[key] + more
