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
    """The database's clock, so that all machines agree; not the start of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def time_for(request: HitlRequest) -> datetime:
    """The database's time where there is a deadline or a claim to compare it with."""
    is_compared = request.expires_at is not None or request.claimed_until is not None
    return database_time() if is_compared else timezone.now()
