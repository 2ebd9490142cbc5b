"""How a task goes on after a person, or the end of its project, has settled it.

Each function is called with the project locked, and returns the events to record.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models.functions import Now

from agents.agent_status import refresh_board
from agents.enums import TaskStatus
from agents.models import Task
from agents.services.claims import give_up
from agents.services.tasks import requeue
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft
from projects.models import Project

SETTLED = ["status", "waits_for", "lease_expires_at", "fence", "result", "finished_at"]


def accept_result(task: Task, outputs: list[dict[str, Any]], actor: Actor) -> list[Draft]:
    """The work goes on with exactly these versions."""
    if task.result.get("verdict") == "fail":
        task.result = task.result | {"verdict": "accepted"}
    task.result = {key: v for key, v in task.result.items() if key != "error"} | {
        "outputs": outputs
    }
    return _settle(task, TaskStatus.COMPLETED, EventType.TASK_COMPLETED, actor)


def return_for_changes(task: Task, comment: str, actor: Actor) -> list[Draft]:
    """The work is to be done again, with the comment: a step in a new round."""
    changes = {"comment": comment, "by": actor.name}
    if not task.step:
        return _do_again(task, changes, actor)
    task.result = task.result | {"changes_requested": changes}
    return _settle(task, TaskStatus.CANCELLED, EventType.TASK_CANCELLED, actor, "changes_requested")


def _do_again(task: Task, changes: dict[str, str], actor: Actor) -> list[Draft]:
    """Outside of a workflow the same task goes on, with what it made and the comment."""
    handoff = task.handoff
    given = [one for one in handoff["materials"] if not one.get("revises")]
    made = [_to_revise(one, task) for one in task.result.get("outputs", [])]
    said = changes | {"cause": "changes_requested"}
    task.handoff = handoff | {
        "materials": [*given, *made],
        "feedback": [*handoff["feedback"], said],
    }
    return _put_back(task, actor, "changes_requested")


def _to_revise(output: dict[str, Any], task: Task) -> dict[str, Any]:
    wanted = {name: output[name] for name in ("artifact", "version", "artifact_type", "title")}
    return wanted | {"from_agent": task.agent_type, "from_step": "", "revises": True}


def reject_result(task: Task, reason: str, actor: Actor) -> list[Draft]:
    """The work stops here."""
    task.result = task.result | {"rejected": {"reason": reason, "by": actor.name}}
    return _settle(task, TaskStatus.FAILED, EventType.TASK_FAILED, actor, "rejected")


def expire_result(task: Task, reason: str, actor: Actor) -> list[Draft]:
    """The work stops because nobody decided in time: the clock's act, no person's no."""
    task.result = task.result | {"expired": {"reason": reason}}
    return _settle(task, TaskStatus.FAILED, EventType.TASK_FAILED, actor, "expired")


def requeue_with_answer(task: Task, answer: str, actor: Actor) -> list[Draft]:
    """The agent goes on with the answer to its questions."""
    questions = task.result.get("questions", [])
    task.answers = [
        *task.answers,
        {"questions": questions, "answer": answer, "answered_by": actor.name},
    ]
    return _put_back(task, actor, "answered")


def _put_back(task: Task, actor: Actor, cause: str) -> list[Draft]:
    requeue(task)
    task.save()
    data = {"step": task.step, "cause": cause}
    return [
        Draft(EventType.TASK_RETRIED, actor, data, task=task.pk),
        *refresh_board(task.project_id, task.agent_type, actor),
    ]


def _settle(
    task: Task, status: TaskStatus, event_type: EventType, actor: Actor, cause: str = ""
) -> list[Draft]:
    task.move(status)
    task.finished_at = Now()
    task.save(update_fields=SETTLED)
    data = {"step": task.step, "round": task.round} | ({"cause": cause} if cause else {})
    return [
        Draft(event_type, actor, data, task=task.pk),
        *refresh_board(task.project_id, task.agent_type, actor),
    ]


def cancel_open_tasks(project: Project, actor: Actor) -> list[Draft]:
    """The project stops: what is not done will not be."""
    open_tasks = list(Task.objects.filter(project=project).open())
    return _cancel_all(open_tasks, actor, "project_stopped")


def drop_tasks(project: Project, steps: Iterable[str], actor: Actor, cause: str) -> list[Draft]:
    """These steps begin a new round; their tasks stay as history."""
    current = Task.objects.filter(project=project, step__in=steps, is_current=True)
    drafts = _cancel_all(list(current.open()), actor, "rewound")
    agents = sorted(set(current.values_list("agent_type", flat=True)))
    current.update(is_current=False, dropped_by=cause)
    return drafts + [d for agent in agents for d in refresh_board(project.pk, agent, actor)]


def _cancel_all(tasks: list[Task], actor: Actor, cause: str) -> list[Draft]:
    drafts = []
    for task in tasks:
        give_up(task)
        task.save(update_fields=SETTLED)
        data = {"step": task.step, "cause": cause}
        drafts.append(Draft(EventType.TASK_CANCELLED, actor, data, task=task.pk))
    for project_id, agent in sorted({(t.project_id, t.agent_type) for t in tasks}):
        drafts += refresh_board(project_id, agent, actor)
    return drafts
