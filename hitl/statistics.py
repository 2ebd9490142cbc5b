"""How many requests there are, how people decide, and how soon the work goes on."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import (
    Avg,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
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
from core.errors import InvalidInput
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


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# The narrowest of these of which there are not too many.
WIDTHS = (HOUR, 6 * HOUR, DAY, 7 * DAY, 91 * DAY, 364 * DAY)
SPANS_MAX = 62
CHOSEN = "chosen"


@dataclass(frozen=True)
class Spans:
    """What figures are about: spans of time side by side, the last of them until `end`."""

    name: str
    width: timedelta
    starts: list[datetime]
    end: datetime

    @property
    def since(self) -> datetime:
        return self.starts[0]


@dataclass(frozen=True)
class Period:
    """The last `number` spans of time, the present one included."""

    number: int
    width: timedelta

    def spans(self, now: datetime, zone: tzinfo = UTC) -> list[datetime]:
        """When each span begins, the oldest first: at whole hours, or days of the time zone."""
        today = now.astimezone(zone).date()
        if self.width < DAY:
            last = now - (now - _midnight(today, zone)) % self.width
            return [last - self.width * back for back in reversed(range(self.number))]
        return _starts(today - self.number * self.width + DAY, today + DAY, self.width, zone)


PERIODS = {
    "day": Period(24, HOUR),
    "week": Period(28, 6 * HOUR),
    "month": Period(30, DAY),
    "quarter": Period(13, 7 * DAY),
}
USUAL_PERIOD = "month"
FIRST_DAY = date(2000, 1, 1)


def last_spans(name: str, zone: tzinfo = UTC) -> Spans:
    """Of one of the usual periods."""
    period, now = PERIODS[name], timezone.now()
    starts = period.spans(now, zone)
    return Spans(name, period.width, starts, starts[-1] + period.width)


def chosen_spans(first: date | None, last: date | None, zone: tzinfo = UTC) -> Spans:
    """From the beginning of a day of the time zone to the end of another, or till now.

    Raises InvalidInput, which names `from` or `to`.
    """
    today = timezone.now().astimezone(zone).date()
    last = min(last or today, today)
    if first is None:
        raise InvalidInput.of("from", "required", "Choose the first day as well.")
    if not FIRST_DAY <= first <= today:
        detail = f"Choose a day between {FIRST_DAY} and today, {today}."
        raise InvalidInput.of("from", "out_of_range", detail)
    if last < first:
        raise InvalidInput.of("to", "before_from", f"Choose {first} or a later day.")
    days = last - first + DAY
    width = next(width for width in WIDTHS if days <= SPANS_MAX * width)
    starts = _starts(first, last + DAY, width, zone)
    return Spans(CHOSEN, width, starts, _midnight(last + DAY, zone))


def _starts(first: date, after: date, width: timedelta, zone: tzinfo) -> list[datetime]:
    """Days are those of the time zone, of 23 to 25 hours; shorter spans are of the clock."""
    if width >= DAY:
        number = (after - first + width - DAY) // width
        return [_midnight(first + width * place, zone) for place in range(number)]
    start, end = _midnight(first, zone), _midnight(after, zone)
    return [start + width * place for place in range(-((start - end) // width))]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


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
        SELECT width_bucket(decided.created_at, %s::timestamptz[]) AS span,
               extract(epoch FROM follows.created_at - decided.created_at) AS latency
        FROM ({chain}) AS decided
        CROSS JOIN LATERAL (
            SELECT later.event_type, later.created_at FROM ({chain}) AS later
            WHERE later.project = decided.project AND later.sequence > decided.sequence
              AND later.event_type = ANY(%s)
            ORDER BY later.sequence LIMIT 1
        ) AS follows
        WHERE decided.event_type = 'hitl_decision_recorded'
          AND decided.created_at >= %s AND decided.created_at < %s
          AND decided.hitl_request IN ({requests}) AND follows.event_type = 'task_started'
    ) AS resumed
    GROUP BY GROUPING SETS ((span), ())
"""


def statistics(
    user: Any, project_id: UUID | None = None, period: str | Spans = USUAL_PERIOD
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
    covered = period if isinstance(period, Spans) else last_spans(period)
    latencies = resume_latencies(requests, covered)
    spans = statistics_by_span(requests, covered)
    for place, span in enumerate(spans, start=1):
        span["resume_latency_seconds"] = latencies.get(place, NEVER)
    return {
        "total": sum(by_status.values()),
        "pending": by_status[RequestStatus.PENDING],
        "overdue": overdue(requests).count(),
        "oldest_pending_at": requests.pending().aggregate(oldest=Min("created_at"))["oldest"],
        "by_status": by_status,
        "by_kind": by_kind,
        "approval_rate": round(by_status["approved"] / decided, 4) if decided else None,
        "decision_time_seconds": _in_seconds(answered.aggregate(mean=Avg("took"), **TIMES)),
        "period": {
            "name": covered.name,
            "since": covered.since,
            "until": min(covered.end, timezone.now()),
        },
        "by_action": {
            action: sum(span["by_action"][action] for span in spans)
            for action, _ in action_choices()
        },
        "expired": sum(span["expired"] for span in spans),
        "resume_latency_seconds": latencies[None],
        "over_time": spans,
    }


def statistics_by_span(requests: QuerySet[HitlRequest], covered: Spans) -> list[dict[str, Any]]:
    """One entry a span; `pending` is how many waited at its end."""
    since, until = covered.since, covered.end
    opened = _counts(requests, "created_at", covered)
    resolved = _counts(requests, "resolved_at", covered)
    expired = _counts(requests.filter(status=RequestStatus.EXPIRED), "resolved_at", covered)
    answered = requests.filter(
        status__in=ANSWERED, resolved_at__gte=since, resolved_at__lt=until
    ).annotate(took=TOOK)
    rows = answered.annotate(span=_span_of("resolved_at", covered)).values("span")
    times = {row.pop("span"): _in_seconds(row) for row in rows.annotate(**TIMES)}
    decisions = Decision.objects.filter(
        created_at__gte=since, created_at__lt=until, request__in=requests
    ).order_by()
    rows = decisions.annotate(span=_span_of("created_at", covered)).values("span", "action")
    rows = rows.annotate(count=Count("pk"))
    actions = defaultdict(int, {(row["span"], row["action"]): row["count"] for row in rows})
    is_open = Q(resolved_at__isnull=True) | Q(resolved_at__gte=since)
    pending = requests.filter(is_open, created_at__lt=since).count()
    spans = []
    ends = [*covered.starts[1:], until]
    for place, (start, end) in enumerate(zip(covered.starts, ends, strict=True), start=1):
        pending += opened[place] - resolved[place]
        spans.append(
            {
                "since": start,
                "until": end,
                "opened": opened[place],
                "pending": pending,
                "expired": expired[place],
                "by_action": {action: actions[place, action] for action, _ in action_choices()},
                "decision_time_seconds": times.get(place, dict.fromkeys(TIMES)),
            }
        )
    return spans


def _span_of(field: str, covered: Spans) -> Func:
    """The place of the span in which the field's time falls, from 1."""
    starts = Value(covered.starts, output_field=ArrayField(DateTimeField()))
    return Func(F(field), starts, function="width_bucket", output_field=IntegerField())


def _counts(requests: QuerySet[HitlRequest], field: str, covered: Spans) -> dict[int, int]:
    within = requests.filter(**{f"{field}__gte": covered.since, f"{field}__lt": covered.end})
    pairs = within.annotate(span=_span_of(field, covered)).values_list("span")
    return defaultdict(int, pairs.annotate(count=Count("pk")))


def _in_seconds(times: dict[str, timedelta | None]) -> dict[str, float | None]:
    return {name: t.total_seconds() if t is not None else None for name, t in times.items()}


def resume_latencies(
    requests: QuerySet[HitlRequest], covered: Spans
) -> dict[int | None, dict[str, Any]]:
    """From a decision to the next start of a task in the project: `{count, mean, p50, p95}`.

    By the place of each span, where there are any; under None over all of them.
    """
    recent = requests.exclude(resolved_at__lt=covered.since).values("pk")
    requests_sql, params = recent.query.sql_with_params()
    statement = LATENCIES.format(requests=requests_sql, chain=sql.text("event_chain"))
    event_types = [str(event_type) for event_type in FOLLOWS]
    arguments = [covered.starts, event_types, covered.since, covered.end, *params]
    latencies = {}
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        for span, count, *times in cursor.fetchall():
            mean, p50, p95 = (float(time) if time is not None else None for time in times)
            latencies[span] = {"count": count, "mean": mean, "p50": p50, "p95": p95}
    return latencies
