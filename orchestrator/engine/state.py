"""Load the state of a run from the database, as the pure plan takes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from agents.enums import FINAL
from agents.models import Task
from agents.stops.queries import agents_under
from audit.rows import RowProblem
from core import sql
from hitl.digests import digest_of
from hitl.models import HitlRequest
from hitl.subject import subject_of
from orchestrator.engine.definition import Definition, hash_of
from orchestrator.engine.plan import RunState, StepState
from orchestrator.models import WorkflowRun
from projects.floor import stricter
from projects.integrity import ContentChanged
from projects.models import Project


@dataclass(frozen=True)
class Loaded:
    """A project's run, tasks by step, pending requests by task, and the agents that are stopped."""

    #: None where no run was opened yet.
    run: WorkflowRun | None
    stopped: frozenset[str]
    #: The oversight that holds: the project's, no lower than the installation's floor.
    oversight_level: str
    tasks: dict[str, Task]
    side_tasks: list[Task]
    requests: dict[str, HitlRequest]
    state: RunState


_parsed: dict[str, Definition] = {}


def definition_of(run: WorkflowRun) -> Definition:
    """The pinned definition, checked and parsed once a process for each hash.

    Raises ContentChanged where the run no longer has the definition that was pinned.
    """
    if run.definition_hash not in _parsed:
        found = hash_of(run.definition)
        if found != run.definition_hash:
            raise ContentChanged(
                "definition",
                f"The workflow “{run.workflow}” of this project",
                project=run.project_id,
                expected=run.definition_hash,
                found=found,
            )
        _parsed[run.definition_hash] = Definition.from_json(run.definition)
    return _parsed[run.definition_hash]


def runs_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Whose definition is not what its hash is over. For verification: it reads all of them."""
    runs = WorkflowRun.objects.order_by("project")
    for run in runs.filter(project=project_id) if project_id else runs:
        if hash_of(run.definition) != run.definition_hash:
            yield RowProblem(run.project_id, "workflow", "its definition does not have its hash")


def load(project: Project) -> Loaded:
    rows = sql.fetch_all("load_run", project=project.pk)
    run, _, _, stops, least, brief_sha256 = rows[0]
    if run is not None:
        run.project, run.brief_sha256 = project, brief_sha256 or ""
    current = [task for _, task, *_ in rows if task is not None]
    requests = {str(request.task_id): request for _, _, request, *_ in rows if request is not None}
    tasks: dict[str, Task] = {}
    side_tasks: list[Task] = []
    steps: dict[str, StepState] = {}
    for task in current:
        task.project = project
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
            open_request=request is not None or is_asked(task),
            subject_changed=request is not None and is_outdated(task, request),
            request_kind=task.waits_for,
            reason=task.stop_reason,
        )
    state = RunState(steps, run.loops if run else {})
    level = stricter(project.oversight_level, settings.POLICY_FLOOR["oversight_level"])
    level = stricter(level, least) if least else level
    return Loaded(run, agents_under(stops or ()), level, tasks, side_tasks, requests, state)


def is_asked(task: Task) -> bool:
    """Whether people are asked about a call of its agent, for which it waits."""
    return "action" in task.result.get("call", {})


def is_outdated(task: Task, request: HitlRequest) -> bool:
    """Whether the work has changed since the request was opened."""
    return digest_of(subject_of(task)) != request.subject_digest


def open_side_tasks(loaded: Loaded) -> list[Task]:
    """Unfinished tasks outside of the workflow; the project completes only after them."""
    return [task for task in loaded.side_tasks if task.status not in FINAL]
