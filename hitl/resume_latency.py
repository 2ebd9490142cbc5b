"""How soon the work goes on after a person has decided, read from the event log."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from agents.events import TASK_STARTED
from hitl.events import DECISION_RECORDED
from hitl.models import HitlRequest
from projects.events import (
    PROJECT_CANCELLED,
    PROJECT_COMPLETED,
    PROJECT_FAILED,
    PROJECT_PAUSED,
    PROJECT_REWOUND,
)

# What follows a decision first. Where it is no start of a task, nothing had to go on: the
# project stood still or had ended, or another decision was waited for.
FOLLOWS = (
    TASK_STARTED,
    DECISION_RECORDED,
    PROJECT_PAUSED,
    PROJECT_REWOUND,
    PROJECT_COMPLETED,
    PROJECT_FAILED,
    PROJECT_CANCELLED,
)
LATENCIES = """
    SELECT span, count(*), avg(latency),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY latency),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY latency)
    FROM (
        SELECT date_bin(%s, decided.created_at, %s) AS span,
               extract(epoch FROM follows.created_at - decided.created_at) AS latency
        FROM event_log AS decided
        CROSS JOIN LATERAL (
            SELECT later.event_type, later.created_at FROM event_log AS later
            WHERE later.project = decided.project AND later.sequence > decided.sequence
              AND later.event_type = ANY(%s)
            ORDER BY later.sequence LIMIT 1
        ) AS follows
        WHERE decided.event_type = 'hitl_decision_recorded' AND decided.created_at >= %s
          AND decided.hitl_request IN ({requests}) AND follows.event_type = 'task_started'
    ) AS resumed
    GROUP BY GROUPING SETS ((span), ())
"""


def resume_latencies(
    requests: QuerySet[HitlRequest], since: datetime, width: timedelta
) -> dict[datetime | None, dict[str, Any]]:
    """From a decision to the next start of a task in the project: `{count, mean, p50, p95}`.

    By the beginning of each span of the width, where there are any; under None over all of them.
    """
    recent = requests.exclude(resolved_at__lt=since).values("pk")
    chosen, params = recent.query.sql_with_params()
    follows = [str(one) for one in FOLLOWS]
    with connection.cursor() as cursor:
        cursor.execute(LATENCIES.format(requests=chosen), [width, since, follows, since, *params])
        return {span: _latency(*row) for span, *row in cursor.fetchall()}


def _latency(count: int, *times: Any) -> dict[str, Any]:
    mean, p50, p95 = (float(time) if time is not None else None for time in times)
    return {"count": count, "mean": mean, "p50": p50, "p95": p95}
