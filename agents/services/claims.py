import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

from agents.enums import AttemptOutcome, TaskStatus
from agents.events import TASK_RETRIED, TASK_STARTED
from agents.metrics import count_retry
from agents.models import Task, TaskAttempt
from agents.queue import enqueue_task_on_commit
from agents.services.capacity import HAS_ROOM, note_refusal, room_parameters
from agents.stops.queries import IS_STOPPED
from audit.actors import Actor
from core.errors import DomainError
from core.sql import fetch_row
from projects.enums import ProjectStatus
from projects.transaction import ProjectTransaction

logger = logging.getLogger(__name__)

RUNS_TASKS = (ProjectStatus.DRAFT, ProjectStatus.ACTIVE)

CLAIM = f"""
    WITH claimed AS (
        UPDATE tasks
        SET status = 'working', attempt = attempt + 1, fence = fence + 1, worker = %s,
            lease_expires_at = clock_timestamp() + make_interval(secs => %s),
            started_at = coalesce(started_at, clock_timestamp())
        WHERE id = %s AND status = 'pending' AND run_after <= clock_timestamp()
          AND NOT {IS_STOPPED} AND {HAS_ROOM}
        RETURNING *
    ), noted AS (
        INSERT INTO task_attempts
            (task_id, number, fence, worker, outcome,
             error_code, error_detail, provider, model, calls)
        SELECT id, attempt, fence, worker, 'running', '', '', '', '', 0 FROM claimed
    )
    SELECT {{columns}} FROM claimed AS tasks
"""
LOCK_CLAIMED = """
    SELECT 1 FROM tasks WHERE id = %s AND fence = %s AND status = 'working' FOR NO KEY UPDATE
"""
# All that one worker works on in a project. Its fences cannot move while the project is locked.
HAND_BACK = """
    WITH held AS (
        SELECT id, fence FROM tasks
        WHERE project_id = %s AND status = 'working' AND starts_with(worker, %s)
        ORDER BY id FOR NO KEY UPDATE
    ), closed AS (
        UPDATE task_attempts SET finished_at = clock_timestamp(), outcome = 'handed_back'
        FROM held WHERE task_id = held.id AND task_attempts.fence = held.fence
    )
    UPDATE tasks
    SET status = 'pending', waits_for = '', lease_expires_at = NULL,
        attempt = attempt - 1, fence = tasks.fence + 1,
        run_after = clock_timestamp(), rung_at = clock_timestamp()
    FROM held WHERE tasks.id = held.id
    RETURNING tasks.id, tasks.step, tasks.agent_type
"""
REQUEUED = ("status", "waits_for", "lease_expires_at", "fence", "run_after", "enqueued_at")
ENDED = (
    "outcome",
    "error_code",
    "error_detail",
    "provider",
    "model",
    "calls",
    "input_tokens",
    "output_tokens",
    "cost_micros",
)
# The names are those of our own columns.
CLOSE_ATTEMPT = f"""
    UPDATE task_attempts SET finished_at = clock_timestamp(),
        {", ".join(f"{name} = %s" for name in ENDED)}
    WHERE task_id = %s AND fence = %s
"""


@dataclass(frozen=True)
class Claim:
    """A worker's right to a task, for as long as no one has raised the fence."""

    task: Task
    fence: int


def claim_task(*, task_id: UUID, worker: str) -> Claim | None:
    """Take a due task; None where it is taken, not due, or of a project that does not run.

    Also None where its project or its model has as many tasks at work as it may have.
    """
    try:
        with ProjectTransaction(Q(tasks=task_id), Actor.of_system("worker")) as tx:
            if tx.project.status not in RUNS_TASKS:
                return None
            parameters = [worker, settings.TASK_LEASE_SECONDS, task_id, *room_parameters(task_id)]
            task = fetch_row(Task, CLAIM, parameters)
            if task is None:
                note_refusal(task_id)
                return None
            task.project = tx.project
            tx.actor = Actor.of_agent(task.agent_type)
            tx.record(
                TASK_STARTED,
                task=task,
                agent_type=task.agent_type,
                step=task.step,
                attempt=task.attempt,
            )
            tx.refresh_agent(task.agent_type)
    except DomainError:
        # The project is gone, or was erased.
        return None
    return Claim(task, task.fence)


def lock_claimed(tx: ProjectTransaction, claim: Claim) -> Task | None:
    """The claimed task under lock; None where another holds it by now.

    The fence has not moved, so no one has written the row since it was claimed.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_CLAIMED, [claim.task.pk, claim.fence])
        if cursor.fetchone() is None:
            return None
    claim.task.project = tx.project
    return claim.task


def hand_back(*, worker_prefix: str) -> int:
    """Put the unfinished tasks of a stopping worker back into the queue; how many there were."""
    tasks = Task.objects.filter(worker__startswith=worker_prefix, status=TaskStatus.WORKING)
    handed_back = 0
    for project_id in tasks.order_by().values_list("project", flat=True).distinct():
        try:
            handed_back += _hand_back_in_project(project_id, worker_prefix)
        except (DatabaseError, DomainError):
            # One project that cannot be locked must not hold up the others.
            logger.exception("tasks not handed back", extra={"project": str(project_id)})
    return handed_back


def _hand_back_in_project(project_id: UUID, worker_prefix: str) -> int:
    """One statement for all of the worker's tasks, however many there are."""
    cause = "worker_stopped"
    with ProjectTransaction(project_id, Actor.of_system("worker")) as tx:
        with connection.cursor() as cursor:
            cursor.execute(HAND_BACK, [project_id, worker_prefix])
            rows = cursor.fetchall()
        for task_id, step, agent_type in rows:
            tx.record(TASK_RETRIED, task=task_id, step=step, cause=cause)
            tx.refresh_agent(agent_type)
            count_retry(agent_type, cause)
            enqueue_task_on_commit(task_id)
    return len(rows)


def hand_back_task(*, task_id: UUID, fence: int, cause: str = "worker_stopped") -> bool:
    """Put one claimed task back; its attempt does not count. False where the lease is lost."""
    with ProjectTransaction(Q(tasks=task_id), Actor.of_system("worker"), missing="task") as tx:
        task = tx.lock(Task, task_id)
        if task.status != TaskStatus.WORKING or task.fence != fence:
            return False
        close_attempt(task, AttemptOutcome.HANDED_BACK)
        task.move(TaskStatus.PENDING)
        task.attempt, task.fence = task.attempt - 1, task.fence + 1
        task.run_after = task.enqueued_at = Now()
        task.save(update_fields=[*REQUEUED, "attempt"])
        tx.record(TASK_RETRIED, task=task, step=task.step, cause=cause)
        tx.refresh_agent(task.agent_type)
        tx.on_commit(lambda: count_retry(task.agent_type, cause))
        enqueue_task_on_commit(task.pk)
    return True


def give_up(task: Task) -> None:
    """Cancel the task; from now on a result of its worker is refused. Does not save it."""
    if task.status == TaskStatus.WORKING:
        close_attempt(task, AttemptOutcome.CANCELLED)
    task.move(TaskStatus.CANCELLED)
    task.fence, task.finished_at = task.fence + 1, Now()


def close_attempt(task: Task, outcome: AttemptOutcome, **fields: Any) -> None:
    """Note how the current attempt ended."""
    attempt = TaskAttempt(outcome=outcome, **fields)
    values = [getattr(attempt, name) for name in ENDED]
    with connection.cursor() as cursor:
        cursor.execute(CLOSE_ATTEMPT, [*values, task.pk, task.fence])
