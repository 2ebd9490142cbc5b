"""How much is asked, how people decide, and how soon the work goes on after them."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

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

from hitl.actions import action_choices
from hitl.enums import RequestKind, RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.resume_latency import resume_latencies
from hitl.selectors import DECIDED, overdue

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


def statistics(
    user: Any, project_id: UUID | None = None, period: str = USUAL_PERIOD
) -> dict[str, Any]:
    """Over what the user may see; times are in seconds.

    Counts, approval rate and `decision_time_seconds` are over all time, the rest over the period.
    """
    requests = HitlRequest.objects.visible_to(user)
    if project_id is not None:
        requests = requests.filter(project=project_id)
    requests = requests.order_by()
    return _over_all_time(requests) | _over_a_period(requests, PERIODS[period], period)


def _over_all_time(requests: QuerySet[HitlRequest]) -> dict[str, Any]:
    pairs = requests.values_list("status", "kind").annotate(count=Count("pk"))
    counts = {(status, kind): count for status, kind, count in pairs}
    by_status = _sums(RequestStatus.values, counts, 0)
    decided = sum(by_status[status] for status in DECIDED)
    approved = by_status[RequestStatus.APPROVED]
    return {
        "total": sum(counts.values()),
        "pending": by_status[RequestStatus.PENDING],
        "overdue": overdue(requests).count(),
        "oldest_pending_at": requests.pending().aggregate(oldest=Min("created_at"))["oldest"],
        "by_status": by_status,
        "by_kind": _sums(RequestKind.values, counts, 1),
        "approval_rate": round(approved / decided, 4) if decided else None,
        "decision_time_seconds": _decision_times(requests),
    }


def _over_a_period(requests: QuerySet[HitlRequest], period: Period, name: str) -> dict[str, Any]:
    now = timezone.now()
    starts = period.spans(now)
    resumed = resume_latencies(requests, starts[0], period.width)
    over_time = _over_time(requests, starts, period.width)
    for span in over_time:
        span["resume_latency_seconds"] = resumed.get(span["since"], NEVER)
    by_action = [span["by_action"] for span in over_time]
    return {
        "period": {"name": name, "since": starts[0], "until": now},
        "by_action": {key: sum(counts[key] for counts in by_action) for key, _ in action_choices()},
        "expired": sum(span["expired"] for span in over_time),
        "resume_latency_seconds": resumed[None],
        "over_time": over_time,
    }


def _over_time(
    requests: QuerySet[HitlRequest], starts: list[datetime], width: timedelta
) -> list[dict[str, Any]]:
    """One entry a span; `pending` is how many waited at its end."""
    opened = _counts(requests, "created_at", starts[0], width)
    resolved = _counts(requests, "resolved_at", starts[0], width)
    expired = requests.filter(status=RequestStatus.EXPIRED)
    expired = _counts(expired, "resolved_at", starts[0], width)
    times = _times(requests, starts[0], width)
    actions = _actions(requests, starts[0], width)
    is_open = Q(resolved_at__isnull=True) | Q(resolved_at__gte=starts[0])
    pending = requests.filter(is_open, created_at__lt=starts[0]).count()
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
                "by_action": {key: actions[start, key] for key, _ in action_choices()},
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


def _times(
    requests: QuerySet[HitlRequest], since: datetime, width: timedelta
) -> dict[datetime, dict[str, float | None]]:
    recent = requests.filter(status__in=ANSWERED, resolved_at__gte=since)
    spans = recent.annotate(span=_span_of("resolved_at", since, width), took=TOOK).values("span")
    return {row.pop("span"): _in_seconds(row) for row in spans.annotate(**TIMES)}


def _actions(
    requests: QuerySet[HitlRequest], since: datetime, width: timedelta
) -> dict[tuple[datetime, str], int]:
    recent = Decision.objects.filter(created_at__gte=since, request__in=requests).order_by()
    spans = recent.annotate(span=_span_of("created_at", since, width)).values("span", "action")
    counted = spans.annotate(count=Count("pk"))
    return defaultdict(int, {(row["span"], row["action"]): row["count"] for row in counted})


def _sums(values: list[str], counts: dict[tuple[str, str], int], place: int) -> dict[str, int]:
    return {one: sum(n for pair, n in counts.items() if pair[place] == one) for one in values}


def _decision_times(requests: QuerySet[HitlRequest]) -> dict[str, float | None]:
    answered = requests.filter(status__in=ANSWERED).annotate(took=TOOK)
    return _in_seconds(answered.aggregate(mean=Avg("took"), **TIMES))


def _in_seconds(times: dict[str, timedelta | None]) -> dict[str, float | None]:
    return {name: t.total_seconds() if t is not None else None for name, t in times.items()}
