"""How many requests there are, how people decide, and how soon the work goes on."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import (
    Avg,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    Min,
    Q,
    QuerySet,
    Value,
)
from django.db.models.aggregates import Aggregate
from django.utils import timezone

from agents.enums import RequestKind
from agents.events import TASK_STARTED
from core import sql
from hitl.actions import action_choices
from hitl.enums import RequestStatus
from hitl.events import DECISION_RECORDED
from hitl.models import Decision, HitlRequest
from hitl.selectors import DECIDED, overdue
from projects.events import (
    PROJECT_CANCELLED,
    PROJECT_COMPLETED,
    PROJECT_FAILED,
    PROJECT_PAUSED,
    PROJECT_REWOUND,
)

ANSWERED = (*DECIDED, RequestStatus.ANSWERED)
TOOK = ExpressionWrapper(F("resolved_at") - F("created_at"), output_field=DurationField())


@dataclass(frozen=True)
class Period:
    """The last `number` spans of time, the present one included."""

    number: int
    width: timedelta

    def spans(self, now: datetime) -> list[datetime]:
        """When each span begins, the oldest first. They begin at whole hours or days, in UTC."""
        passed = timedelta(seconds=now.timestamp() % min(self.width, DAY).total_seconds())
        last = now - passed + min(self.width, DAY) - self.width
        return [last - self.width * back for back in reversed(range(self.number))]


DAY = timedelta(days=1)
PERIODS = {
    "day": Period(24, timedelta(hours=1)),
    "week": Period(28, timedelta(hours=6)),
    "month": Period(30, DAY),
    "quarter": Period(13, timedelta(days=7)),
}
USUAL_PERIOD = "month"


class Percentile(Aggregate):
    """Continuous, over an interval."""

    function = "percentile_cont"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()

    def __init__(self, expression: Any, fraction: float, **extra: Any) -> None:
        super().__init__(expression, fraction=float(fraction), **extra)


TIMES = {"p50": Percentile("took", 0.5), "p95": Percentile("took", 0.95)}
NEVER = {"count": 0, "mean": None, "p50": None, "p95": None}

# Event types that can follow a decision. Where the first is not the start of a task, no work was
# waiting: the project was paused or had ended, or another decision was needed.
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
        FROM ({chain}) AS decided
        CROSS JOIN LATERAL (
            SELECT later.event_type, later.created_at FROM ({chain}) AS later
            WHERE later.project = decided.project AND later.sequence > decided.sequence
              AND later.event_type = ANY(%s)
            ORDER BY later.sequence LIMIT 1
        ) AS follows
        WHERE decided.event_type = 'hitl_decision_recorded' AND decided.created_at >= %s
          AND decided.hitl_request IN ({requests}) AND follows.event_type = 'task_started'
    ) AS resumed
    GROUP BY GROUPING SETS ((span), ())
"""


def statistics(
    user: Any, project_id: UUID | None = None, period: str = USUAL_PERIOD
) -> dict[str, Any]:
    """Over what the user may see; times are in seconds.

    Counts, approval rate and `decision_time_seconds` are over all time, the rest over the period.
    """
    requests = HitlRequest.objects.visible_to(user).order_by()
    if project_id is not None:
        requests = requests.filter(project=project_id)
    # Over all time.
    rows = requests.values_list("status", "kind").annotate(count=Count("pk"))
    by_status = dict.fromkeys(RequestStatus.values, 0)
    by_kind = dict.fromkeys(RequestKind.values, 0)
    for status, kind, count in rows:
        by_status[status] += count
        by_kind[kind] += count
    decided = sum(by_status[status] for status in DECIDED)
    answered = requests.filter(status__in=ANSWERED).annotate(took=TOOK)
    # Over the period.
    now, width = timezone.now(), PERIODS[period].width
    starts = PERIODS[period].spans(now)
    latencies = resume_latencies(requests, starts[0], width)
    spans = statistics_by_span(requests, starts, width)
    for span in spans:
        span["resume_latency_seconds"] = latencies.get(span["since"], NEVER)
    return {
        "total": sum(by_status.values()),
        "pending": by_status[RequestStatus.PENDING],
        "overdue": overdue(requests).count(),
        "oldest_pending_at": requests.pending().aggregate(oldest=Min("created_at"))["oldest"],
        "by_status": by_status,
        "by_kind": by_kind,
        "approval_rate": round(by_status["approved"] / decided, 4) if decided else None,
        "decision_time_seconds": _in_seconds(answered.aggregate(mean=Avg("took"), **TIMES)),
        "period": {"name": period, "since": starts[0], "until": now},
        "by_action": {
            action: sum(span["by_action"][action] for span in spans)
            for action, _ in action_choices()
        },
        "expired": sum(span["expired"] for span in spans),
        "resume_latency_seconds": latencies[None],
        "over_time": spans,
    }


def statistics_by_span(
    requests: QuerySet[HitlRequest], starts: list[datetime], width: timedelta
) -> list[dict[str, Any]]:
    """One entry a span; `pending` is how many waited at its end."""
    since = starts[0]
    opened = _counts(requests, "created_at", since, width)
    resolved = _counts(requests, "resolved_at", since, width)
    expired = _counts(requests.filter(status=RequestStatus.EXPIRED), "resolved_at", since, width)
    answered = requests.filter(status__in=ANSWERED, resolved_at__gte=since).annotate(took=TOOK)
    rows = answered.annotate(span=_span_of("resolved_at", since, width)).values("span")
    times = {row.pop("span"): _in_seconds(row) for row in rows.annotate(**TIMES)}
    decisions = Decision.objects.filter(created_at__gte=since, request__in=requests).order_by()
    rows = decisions.annotate(span=_span_of("created_at", since, width)).values("span", "action")
    rows = rows.annotate(count=Count("pk"))
    actions = defaultdict(int, {(row["span"], row["action"]): row["count"] for row in rows})
    is_open = Q(resolved_at__isnull=True) | Q(resolved_at__gte=since)
    pending = requests.filter(is_open, created_at__lt=since).count()
    spans = []
    for start in starts:
        pending += opened[start] - resolved[start]
        spans.append(
            {
                "since": start,
                "until": start + width,
                "opened": opened[start],
                "pending": pending,
                "expired": expired[start],
                "by_action": {action: actions[start, action] for action, _ in action_choices()},
                "decision_time_seconds": times.get(start, dict.fromkeys(TIMES)),
            }
        )
    return spans


def _span_of(field: str, since: datetime, width: timedelta) -> Func:
    """When the span begins in which the field's time falls."""
    return Func(
        Value(width), F(field), Value(since), function="date_bin", output_field=DateTimeField()
    )


def _counts(
    requests: QuerySet[HitlRequest], field: str, since: datetime, width: timedelta
) -> dict[datetime, int]:
    recent = requests.filter(**{f"{field}__gte": since})
    pairs = recent.annotate(span=_span_of(field, since, width)).values_list("span")
    return defaultdict(int, pairs.annotate(count=Count("pk")))


def _in_seconds(times: dict[str, timedelta | None]) -> dict[str, float | None]:
    return {name: t.total_seconds() if t is not None else None for name, t in times.items()}


def resume_latencies(
    requests: QuerySet[HitlRequest], since: datetime, width: timedelta
) -> dict[datetime | None, dict[str, Any]]:
    """From a decision to the next start of a task in the project: `{count, mean, p50, p95}`.

    By the beginning of each span of the width, where there are any; under None over all of them.
    """
    recent = requests.exclude(resolved_at__lt=since).values("pk")
    requests_sql, params = recent.query.sql_with_params()
    statement = LATENCIES.format(requests=requests_sql, chain=sql.text("event_chain"))
    event_types = [str(event_type) for event_type in FOLLOWS]
    latencies = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, [width, since, event_types, since, *params])
        for span, count, *times in cursor.fetchall():
            mean, p50, p95 = (float(time) if time is not None else None for time in times)
            latencies[span] = {"count": count, "mean": mean, "p50": p50, "p95": p95}
    return latencies
