"""The statistics page: the figures of `hitl.statistics` in words, tables and plain bars."""

import csv
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from core.errors import InvalidInput
from hitl.actions import registered_actions
from hitl.statistics import (
    CHOSEN,
    DAY,
    HOUR,
    USUAL_PERIOD,
    Spans,
    chosen_spans,
    last_spans,
    statistics,
)
from hitl.statistics_people import QUICK, decisions_by_person, lead_times, waiting_times
from projects.models import Project
from ui.web.pages import add_errors, render_page
from ui.wording import counted

PERIODS = {
    "day": "the last 24 hours",
    "week": "the last 7 days",
    "month": "the last 30 days",
    "quarter": "the last 13 weeks",
}
# By the width of a span: its name, and how the page writes when one begins.
SPANS = {
    HOUR: ("hour", "{:%d %b %H:%M}"),
    6 * HOUR: ("six hours", "{:%d %b %H:%M}"),
    DAY: ("day", "{:%d %b}"),
    7 * DAY: ("week", "{:%Y-%m-%d}"),
    91 * DAY: ("13 weeks", "{:%Y-%m-%d}"),
    364 * DAY: ("52 weeks", "{:%Y-%m-%d}"),
}
CSV_COLUMNS = (
    *("person", "kind", "decisions", "approved", "quick", "not_timed"),
    "median_seconds_to_decide",
)
SPAN_COLUMNS = ("since", "until", "opened", "decisions", "expired", "waiting_at_the_end")
SPAN_TIMES = (
    *("median_seconds_to_decide", "p95_seconds_to_decide"),
    *("median_seconds_to_resume", "p95_seconds_to_resume"),
)
# From how many seconds on a unit is used, its size, and its name.
UNITS = ((86400 * 2, 86400, "days"), (3600, 3600, "h"), (60, 60, "min"), (0, 1, "s"))


class DayField(forms.DateField):
    def __init__(self, label: str) -> None:
        widget = forms.DateInput({"type": "date"})
        super().__init__(
            label=label,
            required=False,
            input_formats=["%Y-%m-%d"],
            widget=widget,
            error_messages={"invalid": "Choose a day, such as 2026-01-31."},
        )


class StatisticsFilter(forms.Form):
    """All is optional, and a ready period or project that makes no sense is ignored."""

    period = forms.ChoiceField(label="Period", required=False)
    project = forms.ModelChoiceField(
        label="Project", required=False, queryset=Project.objects.none(), empty_label="all"
    )
    to = DayField(label="To")

    def __init__(self, data: Any, *, user: Any) -> None:
        given = data.dict()
        has_days = not given.get("period") and bool(given.get("from") or given.get("to"))
        if not has_days and given.get("period") not in PERIODS:
            given["period"] = USUAL_PERIOD
        super().__init__(given)
        # `from` is a word of the language and no name for an attribute.
        self.fields = {"from": DayField(label="From")} | self.fields
        ready = list(PERIODS.items())
        self.fields["period"].choices = [("", "the days below"), *ready] if has_days else ready
        self.fields["project"].queryset = Project.objects.visible_to(user).defer("brief")
        self.is_valid()
        self.covered = self._covered(has_days)

    def _covered(self, has_days: bool) -> Spans:
        """A ready period where one is chosen, or where something is wrong with the days."""
        zone, chosen = timezone.get_current_timezone(), self.cleaned_data
        if has_days and not (self.errors.keys() & {"from", "to"}):
            try:
                return chosen_spans(chosen.get("from"), chosen.get("to"), zone)
            except InvalidInput as error:
                add_errors(self, error)
        return last_spans(chosen.get("period") or USUAL_PERIOD, zone)


@require_GET
def show_statistics(request: HttpRequest) -> HttpResponse:
    form = StatisticsFilter(request.GET, user=request.user)
    project, covered = form.cleaned_data.get("project"), form.covered
    faults = form.errors.keys() & {"from", "to"}
    project_id = project.pk if project else None
    figures = statistics(request.user, project_id, covered)
    people = decisions_by_person(request.user, project_id, covered)
    if (wanted := request.GET.get("format")) in ("csv", "csv_over_time") and not faults:
        is_people = wanted == "csv"
        rows = rows_of_people(people) if is_people else rows_of_spans(figures["over_time"])
        return as_csv("decisions" if is_people else "over-time", covered, rows)
    period = period_text(covered)
    span_name, span_format = SPANS[covered.width]
    spans = [_row(span, span_format) for span in reversed(figures["over_time"])]
    lead = lead_times(request.user, project_id, covered)
    waited = waiting_times(request.user, project_id, covered)
    query = request.GET.copy()
    query.pop("format", None)
    context = {
        "title": "Statistics",
        "trail": [("Inbox", reverse("admin:index"))],
        "filter": form,
        "has_days": covered.name == CHOSEN or faults,
        "period": period,
        "span": span_name,
        "zone": timezone.localtime().tzname(),
        "figures": _headline(figures, lead, waited, period),
        "people": [row | {"median": _short(row["p50"])} for row in people],
        "quick_seconds": int(QUICK.total_seconds()),
        "query": query.urlencode(),
        "actions": [
            (action.label, figures["by_action"].get(action.key, 0))
            for action in registered_actions()
        ],
        "actions_total": sum(figures["by_action"].values()),
        "spans": spans,
        "most_decisions": max(row["decisions"] for row in spans),
        "most_waiting": max(row["waiting"] for row in spans),
    }
    status = 400 if faults else 200
    return render_page(request, "ui/inbox/statistics.html", context, status=status)


def period_text(covered: Spans) -> str:
    if covered.name != CHOSEN:
        return PERIODS[covered.name]
    first, last = (
        timezone.localtime(moment).date() for moment in (covered.since, covered.end - HOUR)
    )
    return f"{first}" if first == last else f"{first} to {last}"


def _headline(
    figures: dict[str, Any], lead: dict[str, Any], waited: dict[str, Any], period: str
) -> list[tuple[str, Any, str]]:
    """The few numbers that come first: a name, a value, and what it is over."""
    decisions = sum(figures["by_action"].values())
    approved = figures["by_action"].get("approve", 0)
    resumed = figures["resume_latency_seconds"]
    return [
        ("Waiting now", figures["pending"], f"{figures['overdue']} overdue"),
        ("Decisions", decisions, period),
        (
            "Approved as shown",
            f"{100 * approved / decisions:.3g} %" if decisions else "–",
            f"of all decisions, {period}",
        ),
        ("Waiting time", _short(waited["p50"]), _p95(_seconds(waited["p95"]), period)),
        ("Work resumed after", short_duration(resumed["p50"]), _p95(resumed["p95"], period)),
        ("Lead time", _short(lead["p50"]), _lead(lead, period)),
        ("Expired", figures["expired"], period),
    ]


def _lead(lead: dict[str, Any], period: str) -> str:
    number = counted(lead["count"], "project")
    return f"median from start to end; {number} completed, {period}"


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _short(duration: timedelta | None) -> str:
    return short_duration(_seconds(duration))


def as_csv(name: str, covered: Spans, rows: Iterable[Iterable[Any]]) -> HttpResponse:
    """A file for a spreadsheet."""
    which = period_text(covered).replace(" ", "-") if covered.name == CHOSEN else covered.name
    file = HttpResponse(content_type="text/csv; charset=utf-8")
    file["Content-Disposition"] = f'attachment; filename="{name}-{which}.csv"'
    csv.writer(file).writerows([_cell(value) for value in row] for row in rows)
    return file


def rows_of_people(people: list[dict[str, Any]]) -> Iterable[Iterable[Any]]:
    """Decisions by person and kind."""
    yield CSV_COLUMNS
    for row in people:
        yield [*(row[name] for name in CSV_COLUMNS[:-1]), _tenths(_seconds(row["p50"]))]


def rows_of_spans(spans: list[dict[str, Any]]) -> Iterable[Iterable[Any]]:
    """The oldest first; moments with the time zone of whoever asks."""
    yield (*SPAN_COLUMNS, *SPAN_TIMES)
    for span in spans:
        numbers = (
            span["opened"],
            sum(span["by_action"].values()),
            span["expired"],
            span["pending"],
        )
        moments = [timezone.localtime(span[name]).isoformat() for name in ("since", "until")]
        yield (*moments, *numbers, *map(_tenths, _times(span)))


def _times(span: dict[str, Any]) -> list[float | None]:
    took, resumed = span["decision_time_seconds"], span["resume_latency_seconds"]
    return [took["p50"], took["p95"], resumed["p50"], resumed["p95"]]


def _tenths(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def _cell(value: Any) -> Any:
    """A name that begins like a formula is text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value


def _p95(seconds: float | None, period: str) -> str:
    if seconds is None:
        return "nothing measured yet"
    return f"median; 95 % within {short_duration(seconds)}, {period}"


def _row(span: dict[str, Any], span_format: str) -> dict[str, Any]:
    return {
        "since": span_format.format(timezone.localtime(span["since"])),
        "opened": span["opened"],
        "decisions": sum(span["by_action"].values()),
        "expired": span["expired"],
        "waiting": span["pending"],
        "durations": [short_duration(seconds) for seconds in _times(span)],
    }


def short_duration(seconds: float | None) -> str:
    """In the unit that people would use, `–` where nothing was measured."""
    if seconds is None:
        return "–"
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    size, unit = next((size, unit) for least, size, unit in UNITS if seconds >= least)
    number = seconds / size
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.1f} {unit}".replace(".0 ", " ")
