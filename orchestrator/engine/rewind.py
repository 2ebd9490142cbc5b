"""Rewind: one operation for loops, for people and for requested changes."""

from uuid import UUID

from agents.enums import FINAL, TaskStatus
from agents.models import Task
from agents.services import cancel_tasks, drop_tasks
from audit.actors import Actor
from core.errors import Conflict, InvalidInput
from hitl.services import cancel_requests
from orchestrator.engine.briefs import PIN, take_brief
from orchestrator.engine.definition import Definition
from orchestrator.engine.plan import Rewind, loops_after
from orchestrator.engine.state import definition_of
from orchestrator.models import WorkflowRun
from projects.access import MANAGE
from projects.events import PROJECT_REWOUND
from projects.models import Project
from projects.services import reopen_project
from projects.transaction import ProjectTransaction

FEEDBACK_KEPT = 20
# A loop goes on with the brief it began with; who sends the work back means the brief as it is now.
BY_PEOPLE = {"person", "changes_requested"}


def rewind_project(*, project_id: UUID, step: str, actor: Actor, comment: str = "") -> Project:
    """Run a step and all that depends on it again; what is dropped stays in history.

    Raises Conflict for a state without a way back, InvalidInput for an unknown step, Forbidden.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        reopen_project(tx)
        run = WorkflowRun.objects.filter(project=tx.project).first()
        if run is None:
            detail = "The project has no run yet; there is no way back."
            raise Conflict("invalid_transition", detail)
        definition = definition_of(run)
        if step not in definition.order:
            detail = f"There is no step '{step}'. Use one of: {', '.join(definition.order)}."
            raise InvalidInput.of("step", "does_not_exist", detail)
        current = Task.objects.filter(project=tx.project, is_current=True)
        tasks = {task.step: task for task in current}
        if step not in tasks:
            raise Conflict("invalid_transition", f"The step '{step}' has not started yet.")
        # A rejected task outside of the workflow would stop the project again at once.
        current.filter(step="", status=TaskStatus.FAILED).update(is_current=False)
        if comment.strip():
            _remember(run, step, comment.strip(), actor.name, "rewind")
        for rewind in [Rewind(step, step, "person"), *_stopped_beside(definition, step, tasks)]:
            apply_rewind(tx, run, rewind, tasks)
            tasks = {k: v for k, v in tasks.items() if k not in definition.dependents(rewind.to)}
    return tx.project


def _stopped_beside(definition: Definition, step: str, tasks: dict[str, Task]) -> list[Rewind]:
    """Other branches that ended with the project; as they are, they would hold or stop it."""
    beside = [other for other in tasks if other not in definition.dependents(step)]
    return [Rewind(other, other, "stopped") for other in beside if _is_stopped(tasks[other])]


def _is_stopped(task: Task) -> bool:
    if task.status == TaskStatus.CANCELLED:
        return not {"cancelled_by", "changes_requested"} & set(task.result)
    return task.status == TaskStatus.FAILED


def apply_rewind(
    tx: ProjectTransaction, run: WorkflowRun, rewind: Rewind, tasks: dict[str, Task]
) -> None:
    """Drop what runs again, and note what was asked for."""
    definition = definition_of(run)
    steps = definition.dependents(rewind.to)
    changes = tasks[rewind.because_of].result.get("changes_requested")
    if rewind.cause == "changes_requested" and changes:
        _remember(run, rewind.to, changes["comment"], changes["by"], "changes_requested")
    run.loops = loops_after(
        definition, run.loops, to=rewind.to, because_of=rewind.because_of, cause=rewind.cause
    )
    run.is_rewound = True
    brief = take_brief(run) if rewind.cause in BY_PEOPLE else None
    run.save(update_fields=["loops", "feedback", "is_rewound", *PIN])
    dropped = [tasks[step] for step in steps if step in tasks]
    tx.record(
        PROJECT_REWOUND,
        step=rewind.to,
        because_of=rewind.because_of,
        cause=rewind.cause,
        dropped=[task.step for task in dropped],
        **({"brief": brief} if brief else {}),
    )
    cancel_requests(tx, [task for task in dropped if task.status not in FINAL])
    drop_tasks(tx, steps, rewind.cause)


def _remember(run: WorkflowRun, step: str, comment: str, by: str, cause: str) -> None:
    """A person's word holds for every later round of the step."""
    said = [*run.feedback.get(step, []), {"comment": comment, "by": by, "cause": cause}]
    run.feedback = run.feedback | {step: said[-FEEDBACK_KEPT:]}


def close_open_work(tx: ProjectTransaction) -> None:
    """The project has ended: what is open ends with it, until a rewind takes it up again."""
    unfinished = list(Task.objects.filter(project=tx.project).open())
    cancel_requests(tx, unfinished)
    cancel_tasks(tx, unfinished, "project_stopped")
