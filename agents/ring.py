"""Ring for a task. A ring may be lost: the row is the truth, and the sweep rings again."""

import logging
from uuid import UUID

from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring_on_commit(task_id: UUID) -> None:
    """Put a job for the task into the queue as soon as its row is there for a worker to see."""
    transaction.on_commit(lambda: ring(task_id), robust=True)


def ring(task_id: UUID) -> None:
    from agents.tasks import run_task

    try:
        run_task.delay(str(task_id))
    except (OperationalError, OSError) as error:
        logger.warning("ring lost", extra={"task": str(task_id), "error": repr(error)})
