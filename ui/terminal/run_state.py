"""Where a project stands, as one reads it from the database."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from agents.enums import TaskStatus
from agents.models import Task
from audit.models import Event
from context.models import Artifact
from hitl.models import HitlRequest
from orchestrator.engine.definition import Definition, load_definition
from orchestrator.engine.state import definition_of
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.models import Project

PAGE = 500
ENDED = frozenset({ProjectStatus.COMPLETED, ProjectStatus.FAILED, ProjectStatus.CANCELLED})


@dataclass(frozen=True)
class StepRow:
    """One step on the board. `status` is '' before its task exists."""

    phase: str
    title: str
    agent: str
    status: str = ""
    round: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class State:
    project: Project
    steps: list[StepRow] = field(default_factory=list)
    agents: dict[str, str] = field(default_factory=dict)
    artifacts: int = 0
    requests: list[HitlRequest] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        return self.project.status in ENDED

    @property
    def done(self) -> int:
        return sum(step.status == TaskStatus.COMPLETED for step in self.steps)


def load_state(project_id: UUID) -> State:
    project = Project.objects.select_related("created_by").get(pk=project_id)
    requests = HitlRequest.objects.pending().filter(project=project)
    return State(
        project=project,
        steps=_steps(project),
        agents=dict(project.agents.values_list("agent_type", "status")),
        artifacts=Artifact.objects.filter(project=project).count(),
        requests=list(
            requests.select_related("project", "task", "previous").order_by("created_at", "id")
        ),
    )


def definition_for(project: Project) -> Definition:
    """The pinned one; before the start, the one that would be pinned."""
    run = WorkflowRun.objects.filter(project=project).first()
    return definition_of(run) if run else load_definition(project.workflow)


def titles_of(project: Project) -> dict[str, str]:
    return {step.id: step.title for step in definition_for(project).steps}


def _steps(project: Project) -> list[StepRow]:
    tasks = {t.step: t for t in Task.objects.filter(project=project, is_current=True)}
    definition = definition_for(project)
    return [_row(definition.step(one), tasks.get(one)) for one in definition.order]


def _row(step, task: Task | None) -> StepRow:
    if task is None:
        return StepRow(step.phase, step.title, step.agent)
    return StepRow(
        phase=step.phase,
        title=step.title,
        agent=step.agent,
        status=task.status,
        round=task.round,
        started_at=task.started_at,
        finished_at=task.finished_at,
    )


def head_of(project_id: UUID) -> int:
    last = Event.objects.filter(project=project_id).order_by("-sequence").first()
    return last.sequence if last else 0


def events_after(project_id: UUID, sequence: int) -> list[Event]:
    found = Event.objects.filter(project=project_id, sequence__gt=sequence)
    return list(found.order_by("sequence")[:PAGE])
