"""A project that the engine cannot advance says so, instead of standing still without a word."""

from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import record
from projects.services import lock_project

# The sweep rings again every ten seconds: a passing fault has gone by then.
FAILURES_BEFORE_IT_SHOWS = 3


@transaction.atomic
def note_failure(project_id: UUID, error: Exception) -> None:
    """Keep the project marked, count, and tell its members once it lasts."""
    project = lock_project(project_id)
    project.engine_failures += 1
    if project.engine_failures >= FAILURES_BEFORE_IT_SHOWS:
        project.engine_error = (
            f"{type(error).__name__} in the engine; the log of the server has it."
        )
    project.save(update_fields=["engine_failures", "engine_error"])
    if project.engine_failures == FAILURES_BEFORE_IT_SHOWS:
        data = {"code": "engine_error", "detail": project.engine_error}
        actor = Actor.of_system("engine")
        record(project_id=project.pk, event_type=EventType.SYSTEM_ERROR, actor=actor, data=data)
