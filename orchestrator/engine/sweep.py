"""One round of recovery: enqueue again what no worker took. Safe to run twice at once."""

import logging
from collections.abc import Callable

from django.db import connection
from prometheus_client import Counter, Histogram

from accounts.logins import record_counted_logins
from accounts.plain_tokens import delete_plain_tokens
from accounts.tokens import forget_expired_tokens
from agents.queue import ADVANCE, enqueue, redelivery_timeout
from agents.services import (
    enqueue_due_tasks,
    forget_exchanges,
    record_stop_notices,
    return_dead_reservations,
    take_back_lost_tasks,
)
from core.disk import disk
from core.idempotency import forget_old_keys
from core.metrics import SHORT_BUCKETS
from hitl.agent_actions.recovery import close_overdue_actions
from hitl.services import apply_deadlines
from projects.groups import look_for_groups_out_of_line

logger = logging.getLogger(__name__)

SWEEP_SECONDS = Histogram(
    "paraph_sweep_seconds", "Duration of a round of recovery.", buckets=SHORT_BUCKETS
)
SWEEP_REPAIRS = Counter("paraph_sweep_repairs", "What rounds of recovery repaired.", ["kind"])

BATCH = 500

# Enqueued again after a while; the new time keeps two sweeps from taking the same project.
WAITING_PROJECTS = """
    UPDATE projects SET attention_since = clock_timestamp()
    WHERE id IN (
        SELECT id FROM projects
        WHERE attention_since < clock_timestamp() - make_interval(secs => %s)
        ORDER BY attention_since LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id
"""


def sweep() -> dict[str, int]:
    """What was repaired, by kind. One kind that fails does not keep the others from being repaired.

    Nothing while the disk is full: all of it would write, and all of it can wait.
    Raises the first error, once every kind was tried.
    """
    repairs: dict[str, Callable[[], int]] = {
        "tasks_taken_back": take_back_lost_tasks,
        "reservations_returned": return_dead_reservations,
        "stop_notices_recorded": record_stop_notices,
        "deadlines_applied": apply_deadlines,
        "actions_closed": close_overdue_actions,
        "tasks_enqueued": enqueue_due_tasks,
        "projects_enqueued": enqueue_waiting_projects,
        "idempotency_keys_forgotten": forget_old_keys,
        "exchanges_forgotten": forget_exchanges,
        "tokens_forgotten": forget_expired_tokens,
        "plain_tokens_deleted": delete_plain_tokens,
        "failed_logins_counted": record_counted_logins,
        "groups_brought_in_line": look_for_groups_out_of_line,
    }
    repaired = dict.fromkeys(repairs, 0)
    if disk.is_full():
        return repaired
    errors: list[Exception] = []
    with SWEEP_SECONDS.time():
        for kind, repair in repairs.items():
            try:
                repaired[kind] = repair()
            except Exception as error:
                logger.exception("sweep failed", extra={"part": kind})
                errors.append(error)
    for kind, count in repaired.items():
        SWEEP_REPAIRS.labels(kind).inc(count)
    if counts := {kind: count for kind, count in repaired.items() if count}:
        logger.info("swept", extra={"repaired": counts})
    if errors:
        raise errors[0]
    return repaired


def enqueue_waiting_projects() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAITING_PROJECTS, [redelivery_timeout("engine"), BATCH])
        waiting = [row[0] for row in cursor.fetchall()]
    for project_id in waiting:
        enqueue(ADVANCE, project_id)
    return len(waiting)
