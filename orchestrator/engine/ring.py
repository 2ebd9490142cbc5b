"""Ring for the engine. A ring may be lost: `attention_since` stays, and the sweep rings again."""

from uuid import UUID

from celery import current_task

from agents.queue import put_into_queue
from core.failpoints import failpoint


def ring_engine(project_id: UUID) -> None:
    """A worker that has just finished a task is the engine itself: that saves a job a step."""
    from orchestrator.tasks import advance

    if current_task and current_task.name == "agents.tasks.run_task":
        failpoint("after_commit_before_ring")
        advance(str(project_id))
        return
    put_into_queue(advance, project_id)
