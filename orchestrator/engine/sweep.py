"""One round of recovery: enqueue again what nobody picked up. Safe to run twice at once."""

import logging
from collections.abc import Callable

from django.db import connection

from agents.queue import ADVANCE, enqueue, redelivery_timeout
from agents.services import enqueue_due_tasks, record_stop_notices, take_back_lost_tasks
from core.idempotency import forget_old_keys
from hitl.services import apply_deadlines
from orchestrator.engine.metrics import SWEEP_REPAIRS, SWEEP_SECONDS

logger = logging.getLogger(__name__)

BATCH = 500

# Enqueued again after a while; the new time keeps two sweeps from taking the same one.
WAITING_PROJECTS = """
    UPDATE projects SET attention_since = clock_timestamp()
    WHERE id IN (
        SELECT id FROM projects
        WHERE attention_since < clock_timestamp() - make_interval(secs => %s)
        ORDER BY attention_since LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
"""


def sweep() -> dict[str, int]:
    """What was repaired, by kind. One kind that fails keeps no other from being repaired.

    Raises what the first one raised, after all.
    """
    errors: list[Exception] = []
    with SWEEP_SECONDS.time():
        repaired = {kind: _repair(kind, part, errors) for kind, part in _parts().items()}
    for kind, count in repaired.items():
        SWEEP_REPAIRS.labels(kind).inc(count)
    if done := {kind: count for kind, count in repaired.items() if count}:
        logger.info("swept", extra={"repaired": done})
    if errors:
        raise errors[0]
    return repaired


def _parts() -> dict[str, Callable[[], int]]:
    return {
        "tasks_taken_back": take_back_lost_tasks,
        "stop_notices_recorded": record_stop_notices,
        "deadlines_applied": apply_deadlines,
        "tasks_enqueued": enqueue_due_tasks,
        "projects_enqueued": _enqueue_waiting_projects,
        "idempotency_keys_forgotten": forget_old_keys,
    }


def _repair(kind: str, part: Callable[[], int], errors: list[Exception]) -> int:
    try:
        return part()
    except Exception as error:
        logger.exception("sweep failed", extra={"part": kind})
        errors.append(error)
        return 0


def _enqueue_waiting_projects() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAITING_PROJECTS, [redelivery_timeout("engine"), BATCH])
        waiting = [row[0] for row in cursor.fetchall()]
    for project_id in waiting:
        enqueue(ADVANCE, project_id)
    return len(waiting)
