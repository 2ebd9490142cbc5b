"""How pages and the terminal put things in words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from agents.enums import AgentState, AttemptOutcome, RequestKind, TaskStatus
from audit.event_types import EventType, Message
from audit.models import Event
from context.artifact_types import artifact_types
from context.enums import VersionStatus
from hitl.enums import OnTimeout, RequestStatus
from hitl.models import Decision, HitlRequest, Loosening
from hitl.presenter import Deadlines, PresentedRequest, PresentedVersion
from notifications.enums import DeliveryStatus
from projects.agent_types import agent_types
from projects.enums import OversightLevel, Phase, ProjectStatus, Role
from projects.floor import Floor

LABELS = {
    value: text
    for choices in (
        ProjectStatus,
        Phase,
        TaskStatus,
        AgentState,
        AttemptOutcome,
        RequestKind,
        RequestStatus,
        VersionStatus,
        DeliveryStatus,
    )
    for value, text in choices.choices
}
# Ways of telling somebody that are not called as they are named.
LABELS |= {"email": "E-mail", "push": "Browser"}
WHY_ASKED = {
    RequestKind.PLAN_APPROVAL: "The {agent} has a plan and waits for approval to follow it.",
    RequestKind.RESULT_APPROVAL: "The {agent} has finished and waits for approval of the result.",
    RequestKind.CLARIFICATION: "The {agent} needs an answer before it can continue.",
    RequestKind.ESCALATION: "The {agent} is stuck and needs a person.",
    RequestKind.ACTION_APPROVAL: "The agent {agent} asks before it acts.",
}
ON_TIMEOUT = {
    OnTimeout.HOLD: "the request stays open as overdue",
    OnTimeout.REJECT: "the request expires and the project stops",
    OnTimeout.ESCALATE: "only an owner can decide from then on",
}
OVERSIGHT = {
    OversightLevel.HIGH: "a person approves every plan and every result",
    OversightLevel.MEDIUM: "a person approves every result",
    OversightLevel.LOW: "a person is asked only when agents have questions or are stuck",
}
ROLES = {
    Role.OWNER: "decides, steers the project, and says who is a member",
    Role.APPROVER: "reads and decides",
    Role.VIEWER: "reads",
}
# What break-glass goes past, by the code of the rule.
OBSTACLES = {
    "not_a_member": "you are not a member of the project",
    "role_too_low": "your role may not decide on it",
    "role_not_asked": "the policy asks another role",
    "escalated": "only an owner may decide now",
    "self_approval": "you wrote part of it",
    "claimed": "somebody else has claimed it",
    "approvals_missing": "more than one person must approve it",
}

# What a person may say of a call that nobody has reported on.
WHAT_HAPPENED = {
    "succeeded": "Yes, and it succeeded",
    "failed": "It was tried, and failed",
    "not_executed": "No, it did not happen",
    "allow_once_more": "No: the agent may do it now, once",
}


def label(value: Any) -> str:
    """A status, kind or type as people say it within a sentence."""
    name = str(value)
    for registry in (artifact_types, agent_types):
        if name in registry:
            return _lower_first(registry.label(name))
    return _lower_first(LABELS.get(name, name.replace("_", " ")))


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def event_message(event: Event, titles: dict[str, str]) -> Message | None:
    """None for an event that the line of another one already covers.

    `titles`: the title of each step by its id.
    """
    build = EventType.named(event.event_type).message
    step = event.data.get("step", "")
    return build and build(event, titles.get(step) or step or "A separate task")


def counted(number: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """In its largest unit, rounded down: `2 hours`."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return "less than a second"


def time_since(moment: datetime, now: datetime | None = None) -> str:
    seconds = ((now or timezone.now()) - moment).total_seconds()
    return duration(seconds) if seconds >= 60 else "less than a minute"


def time_until(moment: datetime, now: datetime | None = None) -> str:
    return time_since(now or timezone.now(), moment)


def timestamp(moment: datetime) -> str:
    """The same in every language; in the time zone of whoever looks at it, which it names."""
    local = timezone.localtime(moment)
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()}"


def why_asked(request: HitlRequest) -> str:
    if request.agent_action is not None and request.kind == RequestKind.ESCALATION:
        return "The agent began it and never said how it ended. Did it happen?"
    return WHY_ASKED[RequestKind(request.kind)].format(agent=request.agent_type)


def changed_text(content: PresentedVersion, changed: int | None) -> str:
    """`changed`: how many lines; None where nothing was decided before, or it can't be compared."""
    title = content.artifact.title
    if content.last_decided is None:
        return f"{title} is new: there is no earlier version to compare it with."
    before = content.last_decided.number
    if changed is None:
        return f"{title} can't be compared with version {before}."
    lines = counted(changed, "line") if changed else "nothing"
    return f"{title}: {lines} changed since version {before}."


def money(micros: int) -> str:
    """In US dollars, as providers bill: `$0.0042`, `$12.30`."""
    dollars = micros / 1_000_000
    return f"${dollars:,.2f}" if dollars >= 1 or not micros else f"${dollars:.4f}"


def cost_text(used: dict[str, Any]) -> str:
    """Of the sums `agents.selectors.USED`."""
    parts = [counted(used["attempts"], "attempt"), counted(used["tokens"], "token")]
    if not used["unknown_costs"]:
        return ", ".join([*parts, money(used["cost"] or 0)])
    known = f"at least {money(used['cost'])}, the rest" if used["cost"] else "cost"
    return ", ".join([*parts, f"{known} unknown"])


def field_name(path: str) -> str:
    """`content.requirements.0.statement` as people say it: `requirements 1, statement`."""
    names: list[str] = []
    for part in path.removeprefix("content.").split("."):
        if part.isdigit() and names:
            names[-1] = f"{names[-1]} {int(part) + 1}"
        else:
            names.append(part.replace("_", " "))
    return ", ".join(names)


def approvals_given(request: HitlRequest) -> str:
    return f"{request.approvals} of {counted(request.required_approvals, 'approval')}"


def changes_text(changes: dict[str, Any]) -> str:
    """`required approvals: 5, now 1`"""
    parts = []
    for name, change in changes.items():
        old, new = (_value_text(change[key]) for key in ("old", "new"))
        parts.append(f"{name.replace('_', ' ')}: {old}, now {new}")
    return "; ".join(parts)


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        parts = [f"{label(key)} by {' or '.join(roles)}" for key, roles in value.items()]
        return ", ".join(parts) or "all who decide"
    if isinstance(value, list):
        return ", ".join(label(item) for item in value) or "none"
    return str(value)


def floor_text(floor: Floor) -> str:
    """'' where the installation asks for nothing."""
    parts = []
    if floor.oversight_level != OversightLevel.LOW:
        parts.append(f"{floor.oversight_level} oversight")
    for kind, number in sorted(floor.required_approvals.items()):
        parts.append(f"{counted(number, 'approval')} of each {label(kind)}")
    if floor.prevent_self_approval:
        parts.append("that authors never decide on their own work")
    return ", ".join(parts)


def loosening_text(loosening: Loosening) -> str:
    """Of a change that one person alone made."""
    who, when = loosening.proposed_by.get_username(), timestamp(loosening.decided_at)
    return f"{who}, {when}: {changes_text(loosening.changes)}"


def missing_text(presented: PresentedRequest) -> str:
    """'' where as many people may decide as have to."""
    if not presented.missing_deciders:
        return ""
    roles = " or ".join(presented.deciding_roles)
    return (
        f"{counted(presented.missing_deciders, 'more person')} must be able to decide on this: "
        f"an owner can add members with the role {roles}."
    ).replace("more persons", "more people")


def outcome(decision: Decision) -> str:
    """What became of the request, after its title and a colon."""
    request = decision.request
    if request.is_pending:
        return f"your approval is recorded, {approvals_given(request)} so far."
    return f"{label(request.status)}."


@dataclass(frozen=True)
class DeadlineText:
    """What runs out next: `short` for a list, `full` as a sentence."""

    tone: str
    short: str
    full: str


def _at_the_end(deadlines: Deadlines) -> str:
    if deadlines.is_of_action and deadlines.on_timeout == OnTimeout.REJECT:
        return "the question expires and nothing runs"
    return ON_TIMEOUT[deadlines.on_timeout]


def deadline_text(deadlines: Deadlines, now: datetime) -> DeadlineText | None:
    """None where there is no deadline."""
    due, expires = deadlines.due_at, deadlines.expires_at
    if deadlines.is_escalated:
        full = "Nobody decided in time, so only an owner can decide now."
        return DeadlineText("bad", "owners only", full)
    if not (due or expires):
        return None
    if deadlines.is_suspended:
        full = "The deadlines are paused because the project is not active."
        return DeadlineText("", "deadline paused", full)
    left = f"{time_until(expires, now)} left" if expires else ""
    if deadlines.is_overdue:
        short = f"overdue, {left}" if left else "overdue"
    else:
        short = left or f"due in {time_until(due, now)}"
    sentences = []
    if due:
        sentences.append(f"{'Overdue since' if deadlines.is_overdue else 'Due'} {timestamp(due)}.")
    if expires:
        sentences.append(
            f"If nobody decides by {timestamp(expires)} ({left}), {_at_the_end(deadlines)}."
        )
    return DeadlineText("bad" if deadlines.is_overdue else "warn", short, " ".join(sentences))
