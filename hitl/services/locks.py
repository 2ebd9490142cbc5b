from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from agents.models import Task
from hitl.models import HitlRequest
from projects.transaction import ProjectTransaction


def lock_request(tx: ProjectTransaction, request_id: UUID) -> tuple[HitlRequest, Task]:
    """Lock the request's task, then the request itself."""
    task = tx.lock(Task, Q(hitl_requests=request_id))
    request = tx.lock(HitlRequest, request_id)
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
