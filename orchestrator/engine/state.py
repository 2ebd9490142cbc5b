"""Load the state of a run from the database, as the pure plan takes it."""

from dataclasses import dataclass

from agents.enums import FINAL, TaskStatus
from agents.models import Task
from core.sql import fetch_rows
from hitl.models import HitlRequest
from hitl.subject import digest_of, subject_of
from orchestrator.engine.definition import Definition
from orchestrator.engine.plan import RunState, StepState
from orchestrator.models import WorkflowRun
from projects.models import Project

# The columns of a task that a plan needs; the others are fetched where a task is acted on.
COLUMNS = (
    "id",
    "project_id",
    "agent_type",
    "title",
    "step",
    "phase",
    "round",
    "status",
    "waits_for",
    "attempt",
    "answers",
    "result",
    "finished_at",
)
CURRENT = "SELECT {columns} FROM tasks WHERE project_id = %s AND is_current"


@dataclass(frozen=True)
class Loaded:
    """A project's tasks, by step, and the pending requests, by task."""

    tasks: dict[str, Task]
    side_tasks: list[Task]
    requests: dict[str, HitlRequest]
    state: RunState


_parsed: dict[str, Definition] = {}


def definition_of(run: WorkflowRun) -> Definition:
    """The pinned definition, parsed once a process for each hash."""
    if run.definition_hash not in _parsed:
        _parsed[run.definition_hash] = Definition.from_json(run.definition)
    return _parsed[run.definition_hash]


def load(project: Project, run: WorkflowRun | None) -> Loaded:
    current = fetch_rows(Task, CURRENT, [project.pk], COLUMNS)
    waits = any(task.status == TaskStatus.WAITING_FOR_HITL for task in current)
    pending = HitlRequest.objects.pending().filter(project=project) if waits else []
    requests = {str(request.task_id): request for request in pending}
    tasks: dict[str, Task] = {}
    side_tasks: list[Task] = []
    steps: dict[str, StepState] = {}
    for task in current:
        if not task.step:
            side_tasks.append(task)
            continue
        tasks[task.step] = task
        request = requests.get(str(task.pk))
        steps[task.step] = StepState(
            status=task.status,
            round=task.round,
            task=str(task.pk),
            verdict=task.result.get("verdict", ""),
            changes_requested="changes_requested" in task.result,
            open_request=request is not None,
            subject_changed=request is not None and is_outdated(task, request),
            request_kind=task.waits_for,
            reason=task.stop_reason,
        )
    return Loaded(tasks, side_tasks, requests, RunState(steps, run.loops if run else {}))


def is_outdated(task: Task, request: HitlRequest) -> bool:
    """Whether the work has changed since the request was opened."""
    return digest_of(subject_of(task)) != request.subject_digest


def open_side_tasks(loaded: Loaded) -> list[Task]:
    """Unfinished tasks outside of the workflow; the project completes only after them."""
    return [task for task in loaded.side_tasks if task.status not in FINAL]
