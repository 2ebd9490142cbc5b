from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.models import Task
from audit.actors import Actor
from core.errors import NotFound
from hitl.models import HitlRequest
from projects.services import lock_project


def lock_request(request_id: UUID, actor: Actor) -> tuple[HitlRequest, Task]:
    """Lock project, task and request, in this order. Raises NotFound, also for who may not see."""
    seen = HitlRequest.objects.visible_to(actor.user).filter(pk=request_id).first()
    if seen is None:
        raise NotFound("not_found", "There is no such request, or you may not see it.")
    lock_project(seen.project_id)
    return lock_below_project(seen)


def lock_below_project(seen: HitlRequest) -> tuple[HitlRequest, Task]:
    """The project is locked already."""
    task = Task.objects.select_for_update(no_key=True).get(pk=seen.task_id)
    request = HitlRequest.objects.select_for_update(no_key=True).get(pk=seen.pk)
    # Both are looked at again; the rules would otherwise fetch them once more.
    request.task = task
    return request, task


def database_time() -> datetime:
    """One clock for deadlines, whichever machine asks. Not that of the transaction's start."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def time_for(request: HitlRequest) -> datetime:
    """The database's time where the request has a clock that runs; else it is not looked at."""
    has_clock = request.expires_at is not None or request.claimed_until is not None
    return database_time() if has_clock else timezone.now()
