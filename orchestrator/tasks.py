import time
from uuid import UUID

from celery import shared_task

from audit.request_context import origin
from core.disk import disk
from core.log_fields import log_fields

SWEEP_PAUSE_SECONDS = 0.3

_swept_at = 0.0


@shared_task
def advance(project_id: str) -> int:
    """Advance a project that the sweep found marked; it stays marked while the disk is full."""
    from orchestrator.engine.advance import advance_project

    if disk.is_full():
        return 0
    with origin(channel="engine"), log_fields(channel="engine", project=project_id):
        return advance_project(UUID(project_id))


@shared_task
def make_document(job_id: str) -> None:
    """Make a document that takes long, in a process of its own."""
    from agents.tasks import is_stopping
    from orchestrator.engine.document_jobs import make_document as make

    if disk.is_full():
        return
    with origin(channel="worker"), log_fields(channel="worker"):
        make(UUID(job_id), is_stopping)


@shared_task
def sweep() -> dict[str, int]:
    """One round of recovery. If messages piled up while there was no worker, one is enough.

    They have no expiry: a worker whose clock is ahead would discard all of them.
    """
    global _swept_at
    from orchestrator.engine.sweep import sweep as run_sweep

    if time.monotonic() - _swept_at < SWEEP_PAUSE_SECONDS:
        return {}
    _swept_at = time.monotonic()
    with origin(channel="sweep"), log_fields(channel="sweep"):
        return run_sweep()
