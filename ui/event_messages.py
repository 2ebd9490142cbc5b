"""Events as one line each, for people who follow a project."""

from collections.abc import Callable
from typing import Any

from audit.enums import EventType
from audit.models import Event
from ui.wording import label

Line = tuple[str, str]


def event_message(event: Event, titles: dict[str, str]) -> Line | None:
    """Text and style. None for an event that the line of another one already covers.

    `titles`: the title of each step by its id.
    """
    message = _MESSAGES.get(event.event_type)
    if message is None:
        return None
    step = event.data.get("step", "")
    return message(event, event.data, titles.get(step) or step or "A separate task")


def _who(event: Event) -> str:
    return event.data.get("actor_name") or event.actor.partition(":")[2]


def _started(event: Event, data: dict[str, Any], what: str) -> Line:
    attempt = data.get("attempt", 1)
    again = f" (attempt {attempt})" if attempt > 1 else ""
    return f"{data.get('agent_type')} is working on {what}{again}", "cyan"


def _retried(event: Event, data: dict[str, Any], what: str) -> Line | None:
    if "delay_ms" in data:
        wait = data["delay_ms"] / 1000
        return f"! {what}: {data['code']}: {data['detail']} Trying again in {wait:.1f} s", "yellow"
    cause = {
        "answered": "continues with the answer",
        "worker_lost": "the worker was lost, trying again",
    }
    return f"! {what}: {cause.get(data.get('cause', ''), 'back in the queue')}", "yellow"


def _completed(event: Event, data: dict[str, Any], what: str) -> Line:
    verdict = f", verdict {data['verdict']}" if data.get("verdict") else ""
    return f"✓ {what}{verdict}", "red" if data.get("verdict") == "fail" else "green"


def _cancelled(event: Event, data: dict[str, Any], what: str) -> Line:
    cause = {
        "changes_requested": "will be done again",
        "rewound": "is discarded by a rewind",
        "project_stopped": "stops with the project",
    }
    return f"- {what} {cause.get(data.get('cause', ''), 'was cancelled')}", "yellow"


def _artifact(event: Event, data: dict[str, Any], what: str) -> Line:
    maker = f" ({data['provider']})" if data.get("provider") else f" ({_who(event)})"
    return f"  + {data.get('title')}, version {data.get('version')}{maker}", ""


def _decided(event: Event, data: dict[str, Any], what: str) -> Line:
    comment = f": {data['comment']}" if data.get("comment") else ""
    return f"  {_who(event)} decided: {label(data.get('action', ''))}{comment}", "magenta"


def _asked(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"? {data.get('title')}", "bold magenta"


def _expired(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"! Nobody decided in time: {what}", "yellow"


def _reassigned(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"  {_who(event)} reassigned a request to {data.get('username')}", ""


def _past_the_rules(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"! {_who(event)} decided against the rules: {data.get('reason')}", "bold red"


def _policy(event: Event, data: dict[str, Any], what: str) -> Line:
    changed = ", ".join(label(name) for name in data.get("changed", []))
    return f"  {_who(event)} changed the policy: {changed}", ""


def _person(text: str) -> Callable[..., Line]:
    return lambda event, data, what: (f"  {_who(event)} {text}", "")


def _notice(text: str) -> Callable[..., Line]:
    return lambda event, data, what: (f"! {text}", "yellow")


def _superseded(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"- {what} has changed, so a new request replaces the old one", "yellow"


def _rewound(event: Event, data: dict[str, Any], what: str) -> Line:
    cause = {"loop": "the verdict was fail", "changes_requested": "changes were requested"}
    return f"- Back to {what}: {cause.get(data.get('cause', ''), _who(event))}", "bold yellow"


def _warning(event: Event, data: dict[str, Any], what: str) -> Line:
    return f"! {what}: {data.get('code', '')}: {data.get('detail', '')}", "red"


def _project(text: str, style: str = "bold") -> Callable[..., Line]:
    def line(event: Event, data: dict[str, Any], what: str) -> Line:
        reason = f": {data['reason']}" if data.get("reason") else ""
        return f"{text} by {_who(event)}{reason}", style

    return line


_MESSAGES: dict[str, Callable[..., Line | None]] = {
    EventType.PROJECT_STARTED: _project("Project started"),
    EventType.PROJECT_PAUSED: _project("Project paused", "bold yellow"),
    EventType.PROJECT_RESUMED: _project("Project resumed"),
    EventType.PROJECT_REWOUND: _rewound,
    EventType.PROJECT_COMPLETED: _project("Project completed", "bold green"),
    EventType.PROJECT_FAILED: _project("Project failed", "bold red"),
    EventType.PROJECT_CANCELLED: _project("Project cancelled", "bold red"),
    EventType.TASK_STARTED: _started,
    EventType.TASK_RETRIED: _retried,
    EventType.TASK_COMPLETED: _completed,
    EventType.TASK_CANCELLED: _cancelled,
    EventType.ARTIFACT_CREATED: _artifact,
    EventType.ARTIFACT_UPDATED: _artifact,
    EventType.HITL_REQUEST_CREATED: _asked,
    EventType.HITL_DECISION_RECORDED: _decided,
    EventType.HITL_REQUEST_EXPIRED: _expired,
    EventType.HITL_REQUEST_SUPERSEDED: _superseded,
    EventType.HITL_REQUEST_CLAIMED: _person("claimed a request"),
    EventType.HITL_REQUEST_RELEASED: _person("released a request"),
    EventType.HITL_REQUEST_REASSIGNED: _reassigned,
    EventType.HITL_REQUEST_REMINDED: _notice("Reminder: a request is waiting"),
    EventType.HITL_REQUEST_OVERDUE: _notice("A request is overdue"),
    EventType.HITL_REQUEST_ESCALATED: _notice(
        "Nobody decided in time, so only an owner can decide now"
    ),
    EventType.HITL_COMMENT_ADDED: _person("commented on a request"),
    EventType.HITL_BREAK_GLASS_USED: _past_the_rules,
    EventType.HITL_POLICY_CHANGED: _policy,
    EventType.EMERGENCY_STOP_ACTIVATED: _project("Emergency stop", "bold red"),
    EventType.EMERGENCY_STOP_RELEASED: _project("Emergency stop released"),
    EventType.SYSTEM_WARNING: _warning,
    EventType.SYSTEM_ERROR: _warning,
}
