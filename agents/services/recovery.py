"""Recovery puts work back into the queue. It never executes anything."""

import logging
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now

from agents.agent_status import refresh_board
from agents.enums import AttemptOutcome, TaskStatus
from agents.metrics import count_retry
from agents.models import Task
from agents.queue import patience
from agents.ring import ring, ring_on_commit
from agents.services.claims import REQUEUED, close_attempt
from agents.services.locks import lock_task
from agents.services.results import escalate
from agents.stops.queries import IS_STOPPED
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft, record_all
from core.errors import DomainError

logger = logging.getLogger(__name__)

BATCH = 500

RING_DUE = f"""
    UPDATE tasks SET rung_at = clock_timestamp()
    WHERE id IN (
        SELECT tasks.id FROM tasks JOIN projects ON projects.id = tasks.project_id
        WHERE tasks.status = 'pending' AND tasks.run_after <= clock_timestamp()
          AND projects.status IN ('draft', 'active') AND NOT {IS_STOPPED}
          AND (tasks.rung_at IS NULL
               OR tasks.rung_at < clock_timestamp() - make_interval(secs => %s))
        ORDER BY tasks.run_after LIMIT %s FOR UPDATE OF tasks SKIP LOCKED)
    RETURNING id
"""
LOST = """
    SELECT id FROM tasks WHERE status = 'working' AND lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT %s
"""
IS_LOST = "SELECT clock_timestamp() > %s"


def ring_due_tasks() -> int:
    """Ring for what is due and was not rung for lately; how many."""
    with connection.cursor() as cursor:
        cursor.execute(RING_DUE, [patience("agents"), BATCH])
        due = [row[0] for row in cursor.fetchall()]
    for task_id in due:
        ring(task_id)
    return len(due)


def take_back_lost_tasks() -> int:
    """Take tasks from workers whose lease has run out; how many."""
    with connection.cursor() as cursor:
        cursor.execute(LOST, [BATCH])
        lost = [row[0] for row in cursor.fetchall()]
    return sum(_take_back_if_possible(task_id) for task_id in lost)


def _take_back_if_possible(task_id: UUID) -> bool:
    """One task that cannot be taken back must not keep all others from it, round after round."""
    try:
        return _take_back(task_id)
    except (DatabaseError, DomainError):
        logger.exception("task not taken back", extra={"task": str(task_id)})
        return False


@transaction.atomic
def _take_back(task_id: UUID) -> bool:
    task = lock_task(task_id)
    if task.status != TaskStatus.WORKING or not _has_expired(task):
        return False
    actor = Actor.of_scheduler()
    detail = f"The worker {task.worker} did not renew its lease."
    close_attempt(task, AttemptOutcome.CRASHED, error_code="worker_lost", error_detail=detail)
    task.crashes, task.fence = task.crashes + 1, task.fence + 1
    if task.crashes >= settings.TASK_MAX_CRASHES:
        text = f"The worker was lost {task.crashes} times on this task. {detail}"
        escalate(task, "poison_task", text, actor)
        return True
    task.move(TaskStatus.PENDING)
    task.run_after = task.rung_at = Now()
    task.save(update_fields=[*REQUEUED, "crashes"])
    data = {"step": task.step, "attempt": task.attempt, "cause": "worker_lost"}
    retried = Draft(EventType.TASK_RETRIED, actor, data, task=task.pk)
    record_all(task.project_id, [retried, *refresh_board(task.project_id, task.agent_type, actor)])
    count_retry(task.agent_type, "worker_lost")
    ring_on_commit(task.pk)
    return True


def _has_expired(task: Task) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(IS_LOST, [task.lease_expires_at])
        return cursor.fetchone()[0]
