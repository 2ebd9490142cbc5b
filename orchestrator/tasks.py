from uuid import UUID

from celery import shared_task

from audit.origin import origin


@shared_task
def advance(project_id: str) -> int:
    """Do what is next in a project."""
    from orchestrator.engine.advance import advance_project

    with origin(channel="engine"):
        return advance_project(UUID(project_id))


@shared_task
def sweep() -> dict[str, int]:
    """One round of recovery."""
    from orchestrator.engine.sweep import sweep as run_sweep

    with origin(channel="sweep"):
        return run_sweep()
