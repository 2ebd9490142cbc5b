import logging
import time
from uuid import UUID

from celery import shared_task
from django.db import DatabaseError, InterfaceError

from audit.request_context import origin
from core.log_fields import log_fields
from core.tracing import span

logger = logging.getLogger(__name__)

SWEEP_PAUSE_SECONDS = 0.3

_swept_at = 0.0


@shared_task
def advance(project_id: str) -> int:
    """Do what is next in a project; a failure is noted on it, and tried again by the sweep."""
    from orchestrator.engine.advance import advance_project
    from orchestrator.engine.failures import note_failure
    from orchestrator.engine.metrics import ENGINE_FAILURES

    fields = {"channel": "engine", "project": project_id}
    about = {"paraph.project": project_id}
    with origin(channel="engine"), log_fields(**fields), span("advance", about) as advanced:
        try:
            return advance_project(UUID(project_id))
        except (DatabaseError, InterfaceError):
            # Without the database nothing can be noted; the project is still marked.
            raise
        except Exception as error:
            ENGINE_FAILURES.inc()
            logger.exception("advance failed")
            advanced.fail(type(error).__name__)
            note_failure(UUID(project_id), error)
            return 0


@shared_task
def sweep() -> dict[str, int]:
    """One round of recovery. Of many that piled up while no worker was there, one is enough.

    The messages do not expire: with a clock that is ahead a worker would throw all of them away.
    """
    global _swept_at
    from orchestrator.engine.sweep import sweep as run_sweep

    if time.monotonic() - _swept_at < SWEEP_PAUSE_SECONDS:
        return {}
    _swept_at = time.monotonic()
    with origin(channel="sweep"), log_fields(channel="sweep"):
        return run_sweep()
