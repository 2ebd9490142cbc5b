"""How far a project is, and what it waits for; also before its start."""

from typing import Any

from agents.stops.queries import stopped_agents
from context.staleness import stale_steps
from hitl.models import HitlRequest
from orchestrator.engine.briefs import brief_state, run_with_brief
from orchestrator.engine.definition import Definition, Step, load_definition
from orchestrator.engine.plan import Waiting, waiting_for
from orchestrator.engine.state import Loaded, definition_of, load, open_side_tasks
from projects.enums import ProjectStatus
from projects.models import Project

# What a person can do about a project that stands still.
STANDS_STILL = {ProjectStatus.DRAFT: "start", ProjectStatus.PAUSED: "resume"}


def progress_of(project: Project) -> dict[str, Any]:
    """`{status, completed_steps, total_steps, percent, waiting_for, steps}`; `percent` is whole."""
    run = run_with_brief(project)
    definition = definition_of(run) if run else load_definition(project.workflow)
    loaded = load(project, run)
    stale = stale_steps(project.pk)
    done = sum(loaded.state.of(step_id).is_done for step_id in definition.order)
    return {
        "status": project.status,
        "completed_steps": done,
        "total_steps": len(definition.order),
        "percent": 100 * done // len(definition.order),
        "waiting_for": list(_waiting_for(project, definition, loaded)),
        "brief": brief_state(run),
        "steps": [_step(definition.step(step_id), loaded, stale) for step_id in definition.order],
    }


def _step(step: Step, loaded: Loaded, stale: set[str]) -> dict[str, Any]:
    """A step without a task has not begun: `pending`, attempt 0, no task."""
    task = loaded.tasks.get(step.id)
    return {
        "step": step.id,
        "title": step.title,
        "phase": step.phase,
        "agent_type": step.agent,
        "needs": list(step.needs),
        "status": task.status if task else "pending",
        "round": task.round if task else 0,
        "attempt": task.attempt if task else 0,
        "task": str(task.pk) if task else None,
        "hitl_request": _request_id(loaded.requests, str(task.pk) if task else None),
        "stale": step.id in stale,
    }


def _waiting_for(project: Project, definition: Definition, loaded: Loaded):
    """What cannot go on before someone acts; a finished project waits for nothing."""
    if project.finished_at is not None:
        return
    if project.engine_error:
        yield _wait("", "engine_error", "operator", None, loaded)
    if stopped_agents(project.pk):
        yield _wait("", "emergency_stop", "person", None, loaded)
    if verb := STANDS_STILL.get(ProjectStatus(project.status)):
        yield _wait("", verb, "person", None, loaded)
    if project.status != ProjectStatus.DRAFT:
        for wait in waiting_for(definition, loaded.state):
            yield _wait(wait.step, wait.what, wait.who, wait.task, loaded)
    for task in open_side_tasks(loaded):
        wait = Waiting("", task.waits_for or "agent_work", _whose(task.waits_for), str(task.pk))
        yield _wait(wait.step, wait.what, wait.who, wait.task, loaded)


def _whose(waits_for: str) -> str:
    return "person" if waits_for else "agent"


def _wait(step: str, what: str, who: str, task: str | None, loaded: Loaded) -> dict[str, Any]:
    request = _request_id(loaded.requests, task)
    return {"step": step, "what": what, "who": who, "task": task, "hitl_request": request}


def _request_id(requests: dict[str, HitlRequest], task: str | None) -> str | None:
    request = requests.get(task or "")
    return str(request.pk) if request else None
