"""How many tasks may be at work at once: a fair share for each project, and a limit of each model.

Both are counted within the claim, in the database, for the whole installation. A task for which
there is no room stays due: the end of another one of its project or model enqueues it again, or
else the sweep.
"""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from agents.external import outside_parameters
from agents.models import WORKER_SEEN_SECONDS, Task
from agents.providers import configured_models
from agents.queue import RUN_TASK, enqueue
from core import sql
from projects.agent_types import agent_types

UNBOUNDED = 2**31 - 1
# This part of the capacity is kept for projects that have little or nothing at work, and of that
# part each may have this part.
RESERVE = 8
RESERVE_OF_EACH = 4

# Due, and for a worker of ours; needs `outside_parameters`.
IS_DUE = f"{sql.text('is_due')} AND NOT {sql.text('is_external')}"
CAPACITY = """
    SELECT coalesce(sum(concurrency), 0) FROM worker_processes
    WHERE kind = 'process' AND seen_at > clock_timestamp() - make_interval(secs => %s)
"""
# How many tasks each project has at work, or would have if there were room.
DEMANDS = f"""
    SELECT count(*) FROM (
        SELECT project_id FROM tasks AS busy WHERE {sql.text("is_inside")}
        UNION ALL
        SELECT tasks.project_id FROM tasks JOIN projects ON projects.id = tasks.project_id
        WHERE {IS_DUE} AND projects.status IN ('draft', 'active')
    ) AS demand GROUP BY project_id
"""
AGENT_TYPE = "SELECT agent_type FROM tasks WHERE id = %s"
# Claims of one model come one after the other, so that each counts those before it.
LOCK_MODEL = "SELECT pg_advisory_xact_lock(hashtext('model'), hashtext(%s))"
REFUSED = f"SELECT project_id, agent_type FROM tasks WHERE id = %(task)s AND {IS_DUE}"
NEXT = f"""
    UPDATE tasks SET rung_at = clock_timestamp()
    WHERE id = (
        SELECT tasks.id FROM tasks JOIN projects ON projects.id = tasks.project_id
        WHERE {IS_DUE} AND projects.status IN ('draft', 'active') AND {{scope}}
        ORDER BY tasks.rung_at NULLS FIRST LIMIT 1 FOR UPDATE OF tasks SKIP LOCKED)
    RETURNING id
"""
NEXT_OF_PROJECT = NEXT.format(scope="tasks.project_id = %(scope)s")
NEXT_OF_MODEL = NEXT.format(scope="tasks.agent_type = ANY(%(scope)s::text[])")


@dataclass(frozen=True)
class ProjectShare:
    """Until `common` tasks are at work in all, a project may have `most` of them; then `few`."""

    common: int = UNBOUNDED
    most: int = UNBOUNDED
    few: int = UNBOUNDED


# As the lease keeper measured it last; elsewhere, and until then, there is no bound.
_share = ProjectShare()
# Projects and models for which there was no room, as this process has seen.
_refused: set[UUID | str] = set()


def update_project_share() -> None:
    """Once a second, by the lease keeper."""
    global _share
    with connection.cursor() as cursor:
        cursor.execute(CAPACITY, [WORKER_SEEN_SECONDS])
        (capacity,) = cursor.fetchone()
        cursor.execute(DEMANDS, outside_parameters())
        _share = share_of(capacity, [row[0] for row in cursor.fetchall()])


def share_of(capacity: int, demands: list[int]) -> ProjectShare:
    """For so many tasks at once and what the projects want: the largest wants are cut, equally."""
    reserve = capacity // RESERVE
    if not reserve:
        return ProjectShare()
    common = most = left = capacity - reserve
    for index, demand in enumerate(sorted(demands)):
        equal = left // (len(demands) - index)
        if demand > equal:
            most = max(1, equal)
            break
        left -= demand
    few = max(1, reserve // RESERVE_OF_EACH)
    return ProjectShare(common, max(most, few), few)


def unbounded() -> dict[str, Any]:
    """In place of `room_parameters`, of work that takes no room here."""
    return asdict(ProjectShare()) | {"model_limit": 0, "model_users": []}


def model_limit(agent_type: str) -> tuple[str, int, list[str]]:
    """The model, how many tasks may use it at once (0: any number), and the agents that do."""
    models, limits = configured_models(), settings.MODEL_CONCURRENCY
    model = models.get(agent_type, "")
    limit = limits.get(model, limits.get("", 0)) if calls_model(agent_type) else 0
    if not limit:
        return model, 0, []
    return model, limit, [name for name in models if models[name] == model and calls_model(name)]


def calls_model(agent_type: str) -> bool:
    return getattr(agent_types.get(agent_type), "calls_model", True)


def room_parameters(task_id: UUID) -> dict[str, Any]:
    """Of the claim, which follows in the same transaction."""
    limit: int = 0
    users: list[str] = []
    if settings.MODEL_CONCURRENCY:
        with connection.cursor() as cursor:
            cursor.execute(AGENT_TYPE, [task_id])
            if row := cursor.fetchone():
                model, limit, users = model_limit(row[0])
                if limit:
                    cursor.execute(LOCK_MODEL, [model])
    return asdict(_share) | {"model_limit": limit, "model_users": users}


def note_refusal(task_id: UUID) -> None:
    """Of a task that could not be claimed: remember whether it was for want of room."""
    if _share.most == UNBOUNDED and not settings.MODEL_CONCURRENCY:
        return
    with connection.cursor() as cursor:
        cursor.execute(REFUSED, {"task": task_id} | outside_parameters())
        if row := cursor.fetchone():
            project_id, agent_type = row
            _refused.add(project_id)
            model, limit, _ = model_limit(agent_type)
            if limit:
                _refused.add(model)


def enqueue_refused(task: Task) -> None:
    """After this task has ended: one of its project and one of its model have room now."""
    if not _refused:
        return
    model, _, users = model_limit(task.agent_type)
    scopes = ((task.project_id, NEXT_OF_PROJECT, task.project_id), (model, NEXT_OF_MODEL, users))
    for scope, statement, parameter in scopes:
        if scope not in _refused:
            continue
        with connection.cursor() as cursor:
            cursor.execute(statement, {"scope": parameter} | outside_parameters())
            row = cursor.fetchone()
        if row is None:
            _refused.discard(scope)
        else:
            enqueue(RUN_TASK, row[0])
