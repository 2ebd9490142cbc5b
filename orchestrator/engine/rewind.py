"""Rewind: one operation for loops, for people and for requested changes."""

from uuid import UUID

from agents.enums import FINAL, TaskStatus
from agents.models import Task
from agents.services import cancel_tasks, drop_tasks
from audit.actors import Actor
from core import sql
from core.errors import Conflict, InvalidInput
from hitl.agent_actions.own_agents import close_calls
from hitl.services import cancel_requests
from orchestrator.engine.briefs import PIN, pin_accepted_brief
from orchestrator.engine.plan import Rewind, loops_after
from orchestrator.engine.state import definition_of
from orchestrator.models import WorkflowRun
from projects.access import MANAGE
from projects.events import PROJECT_REWOUND
from projects.models import Project
from projects.services import reopen_project
from projects.transaction import ProjectTransaction

FEEDBACK_KEPT = 20
# A loop goes on with the brief it began with; a person who rewinds means the brief as it is now.
BY_PEOPLE = {"person", "changes_requested"}


def rewind_project(*, project_id: UUID, step: str, actor: Actor, comment: str = "") -> Project:
    """Run a step and its dependents again; what is dropped stays in history.

    Raises Conflict where the state does not allow it, InvalidInput for an unknown step, Forbidden.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        reopen_project(tx)
        run = WorkflowRun.objects.filter(project=tx.project).first()
        if run is None:
            detail = "The project has not started yet, so there is nothing to rewind."
            raise Conflict("invalid_transition", detail)
        definition = definition_of(run)
        if step not in definition.order:
            detail = f"There is no step '{step}'. Use one of: {', '.join(definition.order)}."
            raise InvalidInput.of("step", "does_not_exist", detail)
        current = Task.objects.filter(project=tx.project, is_current=True)
        tasks = {task.step: task for task in current if task.step}
        if step not in tasks:
            raise Conflict("invalid_transition", f"The step '{step}' has not started yet.")
        # A rejected task outside of the workflow would stop the project again at once.
        current.filter(step="", status=TaskStatus.FAILED).update(is_current=False)
        if comment.strip():
            _remember(run, step, comment.strip(), actor.name, "rewind")
        # Other branches that ended with the project would hold it, or stop it again.
        others = [other for other in tasks if other not in definition.dependents(step)]
        stopped = [Rewind(other, other, "stopped") for other in others if _is_stopped(tasks[other])]
        for rewind in [Rewind(step, step, "person"), *stopped]:
            apply_rewind(tx, run, rewind, tasks)
            dropped = definition.dependents(rewind.to)
            tasks = {name: task for name, task in tasks.items() if name not in dropped}
    return tx.project


def _is_stopped(task: Task) -> bool:
    if task.status == TaskStatus.CANCELLED:
        return not {"cancelled_by", "changes_requested"} & set(task.result)
    return task.status == TaskStatus.FAILED


def apply_rewind(
    tx: ProjectTransaction, run: WorkflowRun, rewind: Rewind, tasks: dict[str, Task]
) -> None:
    """Drop the tasks of the steps that run again, and keep the comment of whoever asked for it."""
    definition = definition_of(run)
    steps = definition.dependents(rewind.to)
    changes = tasks[rewind.because_of].result.get("changes_requested")
    if rewind.cause == "changes_requested" and changes:
        _remember(run, rewind.to, changes["comment"], changes["by"], "changes_requested")
    run.loops = loops_after(
        definition, run.loops, to=rewind.to, because_of=rewind.because_of, cause=rewind.cause
    )
    run.is_rewound = True
    brief = pin_accepted_brief(run) if rewind.cause in BY_PEOPLE else None
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
    unfinished = [task for task in dropped if task.status not in FINAL]
    cancel_requests(tx, unfinished)
    close_calls(tx, unfinished)
    drop_tasks(tx, steps, rewind.cause)


def _remember(run: WorkflowRun, step: str, comment: str, by: str, cause: str) -> None:
    """Every later round of the step gets the comment."""
    comments = [*run.feedback.get(step, []), {"comment": comment, "by": by, "cause": cause}]
    run.feedback = run.feedback | {step: comments[-FEEDBACK_KEPT:]}


def close_open_work(tx: ProjectTransaction) -> None:
    """The project has ended: cancel its open requests and tasks. A rewind starts them again."""
    if not sql.execute("has_open_tasks", project=tx.project.pk):
        return
    unfinished = list(Task.objects.filter(project=tx.project).open())
    cancel_requests(tx, unfinished)
    close_calls(tx, unfinished)
    cancel_tasks(tx, unfinished, "project_stopped")
