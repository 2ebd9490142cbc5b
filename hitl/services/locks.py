from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agents.models import Task
from context.models import ArtifactVersion
from core import sql
from core.errors import NotFound
from hitl.agent_actions.digests import subject_of_action
from hitl.models import AgentAction, HitlRequest
from hitl.subject import subject_of
from projects.transaction import ProjectTransaction


def lock_request(tx: ProjectTransaction, request_id: UUID) -> tuple[HitlRequest, Task | None]:
    """Lock the request's task or action, then the request itself. No task: it has an action."""
    request, task, *_ = lock_request_and_subject(tx, request_id)
    return request, task


def lock_request_and_subject(
    tx: ProjectTransaction, request_id: UUID
) -> tuple[HitlRequest, Task | None, dict[str, Any], list[ArtifactVersion]]:
    """The same, with what a decision would let go on now, and the versions that the request shows.

    Raises NotFound.
    """
    row = sql.fetch_one("lock_request", request=request_id, project=tx.project.pk)
    if row is None:
        return _lock_action_request(tx, request_id)
    task, request, newest, shown = row
    task.project = request.project = tx.project
    request.task = task
    versions = [
        ArtifactVersion.from_db("default", list(row), list(row.values())) for row in shown or []
    ]
    return request, task, subject_of(task, newest or {}), versions


def _lock_action_request(
    tx: ProjectTransaction, request_id: UUID
) -> tuple[HitlRequest, None, dict[str, Any], list[ArtifactVersion]]:
    rows = AgentAction.objects.filter(requests=request_id, project=tx.project.pk)
    action = rows.select_for_update(no_key=True, of=("self",)).order_by().first()
    if action is None:
        raise NotFound("not_found", "There is no such request.")
    request = tx.lock(HitlRequest, request_id)
    action.project, request.agent_action = tx.project, action
    return request, None, subject_of_action(action), []


def database_time() -> datetime:
    """The database's clock, so that all machines agree; not the start of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def time_for(request: HitlRequest) -> datetime:
    """The database's time where there is a deadline or a claim to compare it with."""
    is_compared = request.expires_at is not None or request.claimed_until is not None
    return database_time() if is_compared else timezone.now()
