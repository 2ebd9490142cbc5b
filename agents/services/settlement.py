"""What becomes of a task after a decision, a deadline, a rewind or the end of its project."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from agents.enums import RequestKind, TaskStatus
from agents.events import TASK_CANCELLED, TASK_COMPLETED, TASK_FAILED, TASK_RETRIED
from agents.models import ModelRun, Task
from agents.services.claims import give_up
from agents.services.tasks import digest_key, requeue
from audit.event_types import EventType
from core import sql
from projects.services import raise_soft_limit
from projects.transaction import ProjectTransaction

REVISED_FIELDS = ("artifact", "version", "artifact_type", "title")
SETTLED = ["status", "waits_for", "lease_expires_at", "fence", "result", "finished_at"]


def accept_result(tx: ProjectTransaction, task: Task, outputs: list[dict[str, Any]]) -> None:
    """The work goes on with exactly these versions."""
    if task.result.get("verdict") == "fail":
        task.result = task.result | {"verdict": "accepted"}
    task.result = {name: value for name, value in task.result.items() if name != "error"}
    task.result |= {"outputs": outputs}
    _settle(tx, task, TaskStatus.COMPLETED, TASK_COMPLETED)


def return_for_changes(tx: ProjectTransaction, task: Task, comment: str) -> None:
    """Repeat the work with the comment: a step in a new round.

    Outside of a workflow the same task goes on, with its own outputs and the comment.
    """
    changes = {"comment": comment, "by": tx.actor.name}
    if task.step:
        task.result = task.result | {"changes_requested": changes}
        cause = {"cause": "changes_requested"}
        _settle(tx, task, TaskStatus.CANCELLED, TASK_CANCELLED, **cause)
        return
    task.check_assignment()
    materials = [material for material in task.handoff["materials"] if not material.get("revises")]
    digests = dict(task.handoff.get("sha256", {}))
    for output in task.result.get("outputs", []):
        reference = {name: output[name] for name in REVISED_FIELDS}
        digests[digest_key(output["artifact"], output["version"])] = output["sha256"]
        materials.append(
            reference | {"from_agent": task.agent_type, "from_step": "", "revises": True}
        )
    feedback = [*task.handoff["feedback"], changes | {"cause": "changes_requested"}]
    changed = {"materials": materials, "feedback": feedback, "sha256": digests}
    task.handoff = task.handoff | changed
    _put_back(tx, task, "handoff", cause="changes_requested")


def reject_result(tx: ProjectTransaction, task: Task, reason: str) -> None:
    """The work stops here."""
    task.result = task.result | {"rejected": {"reason": reason, "by": tx.actor.name}}
    _settle(tx, task, TaskStatus.FAILED, TASK_FAILED, cause="rejected")


def expire_result(tx: ProjectTransaction, task: Task, reason: str) -> None:
    """The work stops because nobody decided in time; nobody rejected it."""
    task.result = task.result | {"expired": {"reason": reason}}
    _settle(tx, task, TaskStatus.FAILED, TASK_FAILED, cause="expired")


def requeue_with_answer(tx: ProjectTransaction, task: Task, answer: str) -> None:
    """The agent goes on with the answer to its questions."""
    task.check_assignment()
    questions = task.result.get("questions", [])
    reply = {"questions": questions, "answer": answer, "answered_by": tx.actor.name}
    task.answers = [*task.answers, reply]
    _put_back(tx, task, "answers", cause="answered")


def resume_call(
    tx: ProjectTransaction, task: Task, *, action: UUID, verdict: dict[str, Any]
) -> bool:
    """The agent goes on with what became of a call that people were asked about.

    `verdict` is `{status: approved, denied, answered or expired, arguments?, text?}`. False where
    the task waits for something else by now.
    """
    call = task.result.get("call", {})
    is_waiting = task.waits_for == RequestKind.ACTION_APPROVAL
    if not is_waiting or call.get("action") != str(action):
        return False
    run = ModelRun.objects.get(pk=call["run"], task=task)
    known = json.loads(run.approvals or "{}")
    run.approvals = json.dumps(known | {call["id"]: verdict | {"action": str(action)}})
    run.save(update_fields=["approvals", "updated_at"])
    requeue(task)
    tx.record(TASK_RETRIED, task=task, step=task.step, cause="decided")
    tx.refresh_agent(task.agent_type)
    return True


def try_again(tx: ProjectTransaction, task: Task) -> None:
    """The same work once more, after what went wrong.

    Whoever lets it go on past the project's soft limit has raised that.
    """
    if raised := task.result.get("error", {}).get("raises_soft_limit_to_micros"):
        raise_soft_limit(tx, raised)
    requeue(task)
    tx.record(TASK_RETRIED, task=task, step=task.step, cause="tried_again")
    tx.refresh_agent(task.agent_type)


def _put_back(tx: ProjectTransaction, task: Task, changed_field: str, *, cause: str) -> None:
    requeue(task, changed_field)
    given = {"assignment_sha256": task.assignment_sha256}
    tx.record(TASK_RETRIED, task=task, step=task.step, cause=cause, **given)
    tx.refresh_agent(task.agent_type)


def _settle(
    tx: ProjectTransaction, task: Task, status: TaskStatus, event_type: EventType, **cause: str
) -> None:
    task.move(status)
    (task.finished_at,) = sql.fetch_one(
        "settle_task",
        task=task.pk,
        status=str(task.status),
        fence=task.fence,
        result=json.dumps(task.result),
    )
    tx.record(event_type, task=task, step=task.step, round=task.round, **cause)
    tx.refresh_agent(task.agent_type)


def cancel_tasks(tx: ProjectTransaction, tasks: Sequence[Task], cause: str) -> None:
    """Give them up for the reason in `cause`."""
    for task in tasks:
        give_up(task)
        task.save(update_fields=SETTLED)
        tx.record(TASK_CANCELLED, task=task, step=task.step, cause=cause)
        tx.refresh_agent(task.agent_type)


def drop_tasks(tx: ProjectTransaction, steps: Iterable[str], cause: str) -> None:
    """These steps begin a new round; their tasks stay as history."""
    current = Task.objects.filter(project=tx.project, step__in=steps, is_current=True)
    cancel_tasks(tx, list(current.open()), "rewound")
    for agent_type in set(current.values_list("agent_type", flat=True)):
        tx.refresh_agent(agent_type)
    current.update(is_current=False, dropped_by=cause)
