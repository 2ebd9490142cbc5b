"""Ring for the engine. A ring may be lost: `attention_since` stays, and the sweep rings again."""

import logging
from uuid import UUID

from celery import current_task
from kombu.exceptions import OperationalError

from agents.metrics import RINGS_LOST
from api.faults import fault_point

logger = logging.getLogger(__name__)


def ring_engine(project_id: UUID) -> None:
    """A worker that has just finished a task is the engine itself: that saves a job a step."""
    from orchestrator.tasks import advance

    fault_point("after_commit_before_ring")
    if current_task and current_task.name == "agents.tasks.run_task":
        advance(str(project_id))
        return
    try:
        advance.delay(str(project_id))
        fault_point("after_publish_before_mark")
    except (OperationalError, OSError) as error:
        RINGS_LOST.labels("engine").inc()
        logger.warning("ring lost", extra={"project": str(project_id), "error": repr(error)})
