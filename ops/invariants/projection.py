"""The log says it all: the statuses that follow from the events, by a pure function of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents import events as agent_events
from agents.enums import TaskStatus
from agents.events import (
    TASK_CANCELLED,
    TASK_COMPLETED,
    TASK_CREATED,
    TASK_FAILED,
    TASK_PROGRESS,
    TASK_RETRIED,
    TASK_STARTED,
)
from agents.models import Task
from audit.enums import EventSource
from audit.events import SYSTEM_WARNING
from context.events import ARTIFACT_CREATED, ARTIFACT_UPDATED
from hitl.enums import RequestStatus
from hitl.events import REQUEST_CREATED, REQUEST_EXPIRED, REQUEST_RESOLVED, REQUEST_SUPERSEDED
from projects import events as project_events
from projects.enums import ProjectStatus
from projects.events import (
    PROJECT_CANCELLED,
    PROJECT_COMPLETED,
    PROJECT_FAILED,
    PROJECT_PAUSED,
    PROJECT_RESUMED,
    PROJECT_STARTED,
)


class Fact(NamedTuple):
    """What the fold reads of an event."""

    sequence: int
    event_type: str
    event_source: str
    task: str | None
    hitl_request: str | None
    data: Mapping[str, Any]


@dataclass
class Folded:
    """Statuses by id. `oddities`: events that could not follow from what was before them."""

    project: str = ""
    tasks: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    board: dict[str, str] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)


TASK_BECOMES = {
    TASK_STARTED: TaskStatus.WORKING,
    TASK_RETRIED: TaskStatus.PENDING,
    TASK_COMPLETED: TaskStatus.COMPLETED,
    TASK_FAILED: TaskStatus.FAILED,
    TASK_CANCELLED: TaskStatus.CANCELLED,
}
PROJECT_VERBS = {
    PROJECT_STARTED,
    PROJECT_PAUSED,
    PROJECT_RESUMED,
    PROJECT_COMPLETED,
    PROJECT_FAILED,
    PROJECT_CANCELLED,
}
REQUEST_CLOSES = {
    REQUEST_RESOLVED,
    REQUEST_SUPERSEDED,
    REQUEST_EXPIRED,
}
ARTIFACT_WRITTEN = {ARTIFACT_CREATED, ARTIFACT_UPDATED}
ALLOWED = {status: frozenset(after) for status, after in Task.TRANSITIONS.items()}


def fold(facts: Iterable[Fact]) -> Folded:
    """The state after these events, which are those of one project, in order."""
    folded = Folded()
    for fact in facts:
        _project(folded, fact)
        _request(folded, fact)
        _task(folded, fact)
    return folded


def _project(folded: Folded, fact: Fact) -> None:
    match fact.event_type:
        case project_events.PROJECT_CREATED:
            folded.project = ProjectStatus.DRAFT
        case project_events.PROJECT_REWOUND if folded.project in {"completed", "failed"}:
            folded.project = ProjectStatus.ACTIVE
        case agent_events.AGENT_STATUS_CHANGED:
            folded.board[fact.data["agent_type"]] = fact.data["new"]
        case kind if kind in PROJECT_VERBS:
            if fact.data["old"] != folded.project:
                _odd(folded, fact, f"the project was {folded.project}, not {fact.data['old']}")
            folded.project = fact.data["new"]


def _request(folded: Folded, fact: Fact) -> None:
    request = fact.hitl_request
    if fact.event_type == REQUEST_CREATED:
        folded.requests[request] = RequestStatus.PENDING
    elif fact.event_type in REQUEST_CLOSES:
        if folded.requests.get(request) != RequestStatus.PENDING:
            _odd(folded, fact, f"request {request} was {folded.requests.get(request)}")
        folded.requests[request] = _closed_as(fact)


def _closed_as(fact: Fact) -> str:
    """Some events say it by their name alone."""
    named = {
        REQUEST_SUPERSEDED: RequestStatus.SUPERSEDED,
        REQUEST_EXPIRED: RequestStatus.EXPIRED,
    }
    return str(fact.data.get("status") or named[fact.event_type])


def _task(folded: Folded, fact: Fact) -> None:
    if fact.task is None:
        return
    if fact.event_type in ARTIFACT_WRITTEN and fact.event_source == EventSource.AGENT:
        _check_at_work(folded, fact)
    if fact.event_type == TASK_CREATED:
        folded.tasks[fact.task] = TaskStatus.PENDING
        return
    status = _task_becomes(fact)
    if status is None:
        return
    before = folded.tasks.get(fact.task)
    if before is None or status not in ALLOWED[TaskStatus(before)]:
        _odd(folded, fact, f"task {fact.task} was {before}")
    folded.tasks[fact.task] = status


def _check_at_work(folded: Folded, fact: Fact) -> None:
    """An agent writes only while its task is at work: a late one would show here."""
    if folded.tasks.get(fact.task) != TaskStatus.WORKING:
        _odd(folded, fact, f"task {fact.task} was {folded.tasks.get(fact.task)}")


def _task_becomes(fact: Fact) -> TaskStatus | None:
    if fact.event_type == TASK_PROGRESS:
        return TaskStatus.WAITING_FOR_HITL if _stops_for_a_person(fact) else None
    if fact.event_type == SYSTEM_WARNING:
        return TaskStatus.WAITING_FOR_HITL if "attempt" in fact.data else None
    return TASK_BECOMES.get(fact.event_type)


def _stops_for_a_person(fact: Fact) -> bool:
    return "waits_for" in fact.data or "questions" in fact.data


def _odd(folded: Folded, fact: Fact, why: str) -> None:
    folded.oddities.append(f"event {fact.sequence} {fact.event_type}: {why}")
