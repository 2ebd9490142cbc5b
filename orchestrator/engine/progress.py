"""How far a project is, what it waits for, and which steps a request blocks."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from uuid import UUID

from agents.enums import AttemptOutcome, RequestKind, TaskStatus
from agents.models import Task, TaskAttempt
from agents.selectors import no_worker_since
from context.staleness import stale_steps
from hitl.models import HitlRequest
from orchestrator.engine.briefs import brief_state, run_with_brief
from orchestrator.engine.definition import Step, load_definition
from orchestrator.engine.plan import Waiting, waiting_for
from orchestrator.engine.state import Loaded, definition_of, load, open_side_tasks
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.integrity import ContentChanged
from projects.models import Project

TRIES_AGAIN = (TaskStatus.PENDING, TaskStatus.WORKING)
# The verb that makes a project go on, where it waits for one.
CONTINUES_WITH = {ProjectStatus.DRAFT: "start", ProjectStatus.PAUSED: "resume"}


def progress_of(project: Project) -> dict[str, Any]:
    """`{status, completed_steps, total_steps, percent, waiting_for, steps}`; `percent` is whole."""
    run = run_with_brief(project)
    try:
        definition = definition_of(run) if run else load_definition(project.workflow)
    except ContentChanged as error:
        return _unknown_progress(project, run, error)
    loaded = load(project)
    waits: list[Waiting] = []
    # A finished project waits for nothing.
    if project.finished_at is None:
        if project.engine_error:
            waits.append(Waiting("", "engine_error", "operator"))
        if loaded.stopped:
            waits.append(Waiting("", "emergency_stop", "person"))
        if verb := CONTINUES_WITH.get(ProjectStatus(project.status)):
            waits.append(Waiting("", verb, "person"))
        if project.status != ProjectStatus.DRAFT:
            waits += waiting_for(definition, loaded.state)
        for task in open_side_tasks(loaded):
            who = "person" if task.waits_for else "agent"
            waits.append(Waiting("", task.waits_for or "agent_work", who, str(task.pk)))
    asked = action_requests([*loaded.tasks.values(), *loaded.side_tasks])
    failures = last_failures([*loaded.tasks.values(), *loaded.side_tasks])
    absent = no_worker_since(project, [*loaded.tasks.values(), *loaded.side_tasks])
    stale = stale_steps(project.pk)
    completed = sum(loaded.state.of(step_id).is_done for step_id in definition.order)
    return {
        "status": project.status,
        "completed_steps": completed,
        "total_steps": len(definition.order),
        "percent": 100 * completed // len(definition.order) if definition.order else 0,
        "waiting_for": [
            asdict(wait)
            | {
                "hitl_request": _request_id(loaded, wait.task) or asked.get(wait.task or ""),
                "no_worker_since": absent.get(wait.task or ""),
            }
            | failures[wait.task]
            for wait in waits
        ],
        "brief": brief_state(run),
        "steps": [
            step_progress(definition.step(step_id), loaded, asked, is_stale=step_id in stale)
            | failures[_task_id(loaded, step_id)]
            | {"no_worker_since": absent.get(_task_id(loaded, step_id) or "")}
            for step_id in definition.order
        ],
    }


def _unknown_progress(project: Project, run: WorkflowRun, error: ContentChanged) -> dict[str, Any]:
    """Of a run whose definition was changed past the product: nothing untrue is shown of it."""
    wait = asdict(Waiting("", error.code, "operator"))
    return {
        "status": project.status,
        "completed_steps": 0,
        "total_steps": 0,
        "percent": 0,
        "waiting_for": [
            wait
            | {
                "hitl_request": None,
                "no_worker_since": None,
                "last_failure": None,
                "next_attempt_at": None,
            }
        ],
        "brief": brief_state(run),
        "steps": [],
    }


def last_failures(tasks: Sequence[Task]) -> dict[str | None, dict[str, Any]]:
    """By task: how its last attempt failed where another one follows, and when that begins."""
    retried = {task.pk: task for task in tasks if task.failures and task.status in TRIES_AGAIN}
    failures: dict[str | None, dict[str, Any]] = defaultdict(
        lambda: {"last_failure": None, "next_attempt_at": None}
    )
    if not retried:
        return failures
    failed = TaskAttempt.objects.filter(task__in=retried, outcome=AttemptOutcome.TRANSIENT_ERROR)
    for attempt in failed.order_by("task_id", "-fence").distinct("task_id"):
        task = retried[attempt.task_id]
        failures[str(task.pk)] = {
            "last_failure": {
                "code": attempt.error_code,
                "detail": attempt.error_detail,
                "attempt": attempt.number,
                "failed_at": attempt.finished_at,
            },
            "next_attempt_at": task.run_after if task.status == TaskStatus.PENDING else None,
        }
    return failures


def _task_id(loaded: Loaded, step_id: str) -> str | None:
    task = loaded.tasks.get(step_id)
    return str(task.pk) if task else None


def action_requests(tasks: Sequence[Task]) -> dict[str, str]:
    """By task that waits for the word of a person on a call of its agent: the request about it."""
    waiting = [task.pk for task in tasks if task.waits_for == RequestKind.ACTION_APPROVAL]
    if not waiting:
        return {}
    requests = HitlRequest.objects.pending().filter(agent_action__task__in=waiting)
    pairs = requests.values_list("agent_action__task", "pk")
    return {str(task_id): str(request_id) for task_id, request_id in pairs}


def step_progress(
    step: Step, loaded: Loaded, asked: dict[str, str], *, is_stale: bool
) -> dict[str, Any]:
    """A step without a task has not begun: `pending`, attempt 0, no task."""
    task = loaded.tasks.get(step.id)
    task_id = _task_id(loaded, step.id)
    return {
        "step": step.id,
        "title": step.title,
        "phase": step.phase,
        "agent_type": step.agent,
        "needs": list(step.needs),
        "status": task.status if task else "pending",
        "round": task.round if task else 0,
        "attempt": task.attempt if task else 0,
        "task": task_id,
        "hitl_request": _request_id(loaded, task_id) or asked.get(task_id or ""),
        "stale": is_stale,
    }


def _request_id(loaded: Loaded, task_id: str | None) -> str | None:
    request = loaded.requests.get(task_id or "")
    return str(request.pk) if request else None


def blocked_steps(requests: Sequence[HitlRequest]) -> dict[UUID, list[str]]:
    """By request, the titles of the steps that wait for it, in order. Takes two queries."""
    projects = {request.project_id for request in requests}
    runs = WorkflowRun.objects.filter(project__in=projects)
    hashes = dict(runs.values_list("project", "definition_hash"))
    # Runs of the same definition share it.
    sharing = WorkflowRun.objects.filter(definition_hash__in=set(hashes.values()))
    definitions = {}
    for run in sharing.order_by("definition_hash").distinct("definition_hash"):
        # Of a definition that was changed past the product nothing is said.
        with suppress(ContentChanged):
            definitions[run.definition_hash] = definition_of(run)
    titles: dict[UUID, list[str]] = {}
    for request in requests:
        definition = definitions.get(hashes.get(request.project_id))
        is_step = definition is not None and request.step in definition.order
        dependents = definition.dependents(request.step) if is_step else ()
        titles[request.pk] = [
            definition.step(step_id).title for step_id in dependents if step_id != request.step
        ]
    return titles
