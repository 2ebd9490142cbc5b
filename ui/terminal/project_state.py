"""Where a project stands, read from the database, and whether workers are there for it."""

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from django.db.models.functions import Now
from django.utils.text import get_text_list
from kombu.exceptions import OperationalError

from agents.enums import TaskStatus
from agents.models import Task
from agents.selectors import no_worker_since
from audit.models import Event
from context.models import Artifact
from hitl.models import HitlRequest
from ops.health.checks.celery import QUEUES
from orchestrator.engine.definition import Definition, load_definition
from orchestrator.engine.state import definition_of
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.integrity import ContentChanged
from projects.models import Project

EVENTS_MAX = 500
QUIET_SECONDS = 5.0
# A worker that is only busy answers within this.
ANSWER_SECONDS = 1.0
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
    #: Where it failed and is tried again: when, at the earliest.
    next_attempt_at: datetime | None = None


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
        steps=step_rows(project),
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
    """None of a workflow that was changed past the product."""
    with suppress(ContentChanged):
        return {step.id: step.title for step in definition_for(project).steps}
    return {}


def step_rows(project: Project) -> list[StepRow]:
    try:
        definition = definition_for(project)
    except ContentChanged:
        # Nothing untrue is shown; the log says what differs.
        return []
    tasks = {task.step: task for task in Task.objects.filter(project=project, is_current=True)}
    rows = []
    for step_id in definition.order:
        step, task = definition.step(step_id), tasks.get(step_id)
        row = StepRow(phase=step.phase, title=step.title, agent=step.agent)
        if task is not None:
            is_retried = task.failures > 0 and task.status == TaskStatus.PENDING
            row = replace(
                row,
                status=task.status,
                round=task.round,
                started_at=task.started_at,
                finished_at=task.finished_at,
                next_attempt_at=task.run_after if is_retried else None,
            )
        rows.append(row)
    return rows


def head_of(project_id: UUID) -> int:
    sequences = Event.objects.filter(project=project_id).values_list("sequence", flat=True)
    return sequences.order_by("-sequence").first() or 0


def events_after(project_id: UUID, sequence: int) -> list[Event]:
    events = Event.objects.filter(project=project_id, sequence__gt=sequence)
    return list(events.order_by("sequence")[:EVENTS_MAX])


@dataclass
class WorkerWatch:
    """Asked only when nothing has happened for a while. `missing_since`: when nobody was there."""

    quiet_since: float = field(default_factory=time.monotonic)
    missing_since: float | None = None
    asked_at: float = 0.0

    def reset(self) -> None:
        self.quiet_since, self.missing_since = time.monotonic(), None

    def new_problem(self, project_id: UUID) -> str:
        """What is wrong, when that has not been said yet; '' otherwise."""
        now = time.monotonic()
        if now - max(self.quiet_since, self.asked_at) < QUIET_SECONDS:
            return ""
        problem = unserved_work(project_id)
        if not problem and not _has_lease(project_id):
            problem = missing_workers()
        self.asked_at = time.monotonic()
        if not problem:
            self.missing_since = None
            return ""
        is_new = self.missing_since is None
        self.missing_since = self.missing_since or now
        return problem if is_new else ""

    def missing_seconds(self) -> float:
        return time.monotonic() - self.missing_since if self.missing_since else 0.0


def _has_lease(project_id: UUID) -> bool:
    """A worker renews a lease, so one is alive."""
    working = Task.objects.filter(project=project_id, status=TaskStatus.WORKING)
    return working.filter(lease_expires_at__gt=Now()).exists()


def unserved_work(project_id: UUID) -> str:
    """'' unless a task waits for a worker that runs elsewhere, and nobody has come."""
    project = Project.objects.get(pk=project_id)
    pending = Task.objects.filter(
        project=project_id, status=TaskStatus.PENDING, is_current=True
    ).defer("handoff")
    tasks = {str(task.pk): task for task in pending}
    absent = no_worker_since(project, tasks.values())
    return "\n".join(
        f"{tasks[task_id].title} waits for a worker that runs elsewhere, of the agent "
        f"{tasks[task_id].agent_type}. Nobody has come for work since {since:%H:%M:%S} UTC."
        for task_id, since in absent.items()
    )


def missing_workers() -> str:
    """'' when a worker serves each queue."""
    if not _redis_answers():
        return "Redis does not answer, so no work is handed out. It continues when Redis is back."
    try:
        answers = current_app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
    except (OperationalError, OSError, redis.RedisError) as error:
        return f"The workers cannot be reached: {error}"
    served = {queue["name"] for queues in answers.values() for queue in queues}
    if missing := sorted(set(QUEUES) - served):
        return (
            f"No worker is running for {get_text_list(missing, 'and')}, so nothing happens. "
            "Start one: `make run` (manage.py up) on this database and Redis."
        )
    return ""


def _redis_answers() -> bool:
    """The broker's client tries for minutes; this does not."""
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
