"""The statuses that follow from the events of a log, by a pure function of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.enums import TaskStatus
from agents.events import (
    AGENT_STATUS_CHANGED,
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
from projects.enums import ProjectStatus
from projects.events import (
    PROJECT_CANCELLED,
    PROJECT_COMPLETED,
    PROJECT_CREATED,
    PROJECT_FAILED,
    PROJECT_PAUSED,
    PROJECT_RESUMED,
    PROJECT_REWOUND,
    PROJECT_STARTED,
)


class Fact(NamedTuple):
    """The part of an event that the projection reads."""

    sequence: int
    event_type: str
    event_source: str
    task: str | None
    hitl_request: str | None
    data: Mapping[str, Any]


TASK_STATUSES = {
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
REQUEST_CLOSES = {REQUEST_RESOLVED, REQUEST_SUPERSEDED, REQUEST_EXPIRED}
# These name the status by their type alone.
REQUEST_STATUSES = {
    REQUEST_SUPERSEDED: RequestStatus.SUPERSEDED,
    REQUEST_EXPIRED: RequestStatus.EXPIRED,
}
ARTIFACT_WRITES = {ARTIFACT_CREATED, ARTIFACT_UPDATED}


def fold(facts: Iterable[Fact]) -> "Projection":
    """The state after these events, which are those of one project, in order."""
    projection = Projection()
    for fact in facts:
        projection.apply_to_project(fact)
        projection.apply_to_request(fact)
        if fact.task is not None:
            projection.apply_to_task(fact)
    return projection


@dataclass
class Projection:
    """Statuses by id. `oddities`: events that cannot follow from those before them."""

    project: str = ""
    tasks: dict[str, str] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)

    def apply_to_project(self, fact: Fact) -> None:
        if fact.event_type == PROJECT_CREATED:
            self.project = ProjectStatus.DRAFT
        elif fact.event_type == PROJECT_REWOUND:
            # A paused project stays paused.
            if self.project in {ProjectStatus.COMPLETED, ProjectStatus.FAILED}:
                self.project = ProjectStatus.ACTIVE
        elif fact.event_type == AGENT_STATUS_CHANGED:
            self.agents[fact.data["agent_type"]] = fact.data["new"]
        elif fact.event_type in PROJECT_VERBS:
            if fact.data["old"] != self.project:
                self.note_oddity(fact, f"the project was {self.project}, not {fact.data['old']}")
            self.project = fact.data["new"]

    def apply_to_request(self, fact: Fact) -> None:
        request = fact.hitl_request
        if fact.event_type == REQUEST_CREATED:
            self.requests[request] = RequestStatus.PENDING
        elif fact.event_type in REQUEST_CLOSES:
            before = self.requests.get(request)
            if before != RequestStatus.PENDING:
                self.note_oddity(fact, f"request {request} was {before}")
            status = fact.data.get("status") or REQUEST_STATUSES[fact.event_type]
            self.requests[request] = str(status)

    def apply_to_task(self, fact: Fact) -> None:
        before = self.tasks.get(fact.task)
        is_written_by_agent = (
            fact.event_type in ARTIFACT_WRITES and fact.event_source == EventSource.AGENT
        )
        # An agent writes only while its task is at work: a late write would show here.
        if is_written_by_agent and before != TaskStatus.WORKING:
            self.note_oddity(fact, f"task {fact.task} was {before}")
        if fact.event_type == TASK_CREATED:
            self.tasks[fact.task] = TaskStatus.PENDING
            return
        status = TASK_STATUSES.get(fact.event_type)
        if fact.event_type == TASK_PROGRESS and fact.data.keys() & {"waits_for", "questions"}:
            status = TaskStatus.WAITING_FOR_HITL
        if fact.event_type == SYSTEM_WARNING and "attempt" in fact.data:
            status = TaskStatus.WAITING_FOR_HITL
        if status is None:
            return
        if before is None or status not in Task.TRANSITIONS[TaskStatus(before)]:
            self.note_oddity(fact, f"task {fact.task} was {before}")
        self.tasks[fact.task] = status

    def note_oddity(self, fact: Fact, reason: str) -> None:
        self.oddities.append(f"event {fact.sequence} {fact.event_type}: {reason}")
