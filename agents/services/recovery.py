"""Recovery puts work back into the queue. It never executes anything."""

import logging
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from agents.enums import AttemptOutcome, TaskStatus
from agents.events import TASK_RETRIED
from agents.external import outside_parameters
from agents.metrics import count_retry
from agents.models import Task
from agents.queue import RUN_TASK, enqueue, enqueue_task_on_commit, redelivery_timeout
from agents.services.capacity import IS_DUE
from agents.services.claims import REQUEUED, close_attempt
from agents.services.results import escalate
from audit.actors import Actor
from core.errors import DomainError
from projects.transaction import ProjectOf, ProjectTransaction

logger = logging.getLogger(__name__)

BATCH = 500

ENQUEUE_DUE = f"""
    UPDATE tasks SET rung_at = clock_timestamp()
    WHERE id IN (
        SELECT tasks.id FROM tasks JOIN projects ON projects.id = tasks.project_id
        WHERE {IS_DUE} AND projects.status IN ('draft', 'active')
          AND (tasks.rung_at IS NULL
               OR tasks.rung_at < clock_timestamp() - make_interval(secs => %(seconds)s))
        ORDER BY tasks.run_after LIMIT %(limit)s FOR UPDATE OF tasks SKIP LOCKED)
    RETURNING id
"""
LOST = """
    SELECT id FROM tasks WHERE status = 'working' AND lease_expires_at < clock_timestamp()
    ORDER BY lease_expires_at LIMIT %s
"""
IS_LOST = "SELECT clock_timestamp() > %s"


def enqueue_due_tasks() -> int:
    """Enqueue again the due tasks that were not enqueued lately; how many."""
    with connection.cursor() as cursor:
        values = {"seconds": redelivery_timeout("agents"), "limit": BATCH}
        cursor.execute(ENQUEUE_DUE, values | outside_parameters())
        task_ids = [row[0] for row in cursor.fetchall()]
    for task_id in task_ids:
        enqueue(RUN_TASK, task_id)
    return len(task_ids)


def take_back_lost_tasks() -> int:
    """Take tasks from workers whose lease has run out; how many."""
    with connection.cursor() as cursor:
        cursor.execute(LOST, [BATCH])
        task_ids = [row[0] for row in cursor.fetchall()]
    taken_back = 0
    for task_id in task_ids:
        try:
            taken_back += take_back_task(task_id)
        except (DatabaseError, DomainError):
            # One task that cannot be taken back must not hold up the others.
            logger.exception("task not taken back", extra={"task": str(task_id)})
    return taken_back


def take_back_task(task_id: UUID) -> bool:
    """Requeue it, or escalate after too many crashes; False where its lease was renewed."""
    with ProjectTransaction(ProjectOf("task", task_id), Actor.of_scheduler(), missing="task") as tx:
        task = tx.lock(Task, task_id)
        if task.status != TaskStatus.WORKING:
            return False
        with connection.cursor() as cursor:
            cursor.execute(IS_LOST, [task.lease_expires_at])
            if not cursor.fetchone()[0]:
                return False
        detail = f"The worker {task.worker} did not renew its lease."
        close_attempt(task, AttemptOutcome.CRASHED, error_code="worker_lost", error_detail=detail)
        task.crashes, task.fence = task.crashes + 1, task.fence + 1
        if task.crashes >= settings.TASK_MAX_CRASHES:
            text = f"The worker was lost {task.crashes} times on this task. {detail}"
            escalate(tx, task, "poison_task", text)
            return True
        task.move(TaskStatus.PENDING)
        task.run_after = task.enqueued_at = Now()
        task.save(update_fields=[*REQUEUED, "crashes"])
        data = {"step": task.step, "attempt": task.attempt, "cause": "worker_lost"}
        tx.record(TASK_RETRIED, task=task, **data)
        tx.refresh_agent(task.agent_type)
        tx.on_commit(lambda: count_retry(task.agent_type, "worker_lost"))
        enqueue_task_on_commit(task.pk)
    return True
