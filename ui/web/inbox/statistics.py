"""The statistics page: the figures of `hitl.statistics` in words, tables and plain bars."""

import csv
from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from hitl.actions import registered_actions
from hitl.statistics import USUAL_PERIOD, statistics
from hitl.statistics_people import QUICK, decisions_by_person, lead_times, waiting_times
from projects.models import Project
from ui.web.pages import render_page
from ui.wording import counted

PERIODS = {
    "day": "the last 24 hours",
    "week": "the last 7 days",
    "month": "the last 30 days",
    "quarter": "the last 13 weeks",
}
SPANS = {"day": "hour", "week": "six hours", "month": "day", "quarter": "week"}
SPAN_FORMATS = {
    "day": "{:%H:%M}",
    "week": "{:%d %b %H:%M}",
    "month": "{:%d %b}",
    "quarter": "{:%d %b}",
}
CSV_COLUMNS = (
    *("person", "kind", "decisions", "approved", "quick", "not_timed"),
    "median_seconds_to_decide",
)
# From how many seconds on a unit is used, its size, and its name.
UNITS = ((86400 * 2, 86400, "days"), (3600, 3600, "h"), (60, 60, "min"), (0, 1, "s"))


class StatisticsFilter(forms.Form):
    """Both are optional, and a value that makes no sense is ignored."""

    period = forms.ChoiceField(label="Period", required=False, choices=list(PERIODS.items()))
    project = forms.ModelChoiceField(
        label="Project", required=False, queryset=Project.objects.none(), empty_label="all"
    )

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__({"period": USUAL_PERIOD} | data.dict())
        self.fields["project"].queryset = Project.objects.visible_to(user).defer("brief")
        self.is_valid()


@require_GET
def show_statistics(request: HttpRequest) -> HttpResponse:
    form = StatisticsFilter(request.GET, user=request.user)
    period = form.cleaned_data.get("period") or USUAL_PERIOD
    project = form.cleaned_data.get("project")
    figures = statistics(request.user, project.pk if project else None, period)
    spans = [_row(span, SPAN_FORMATS[period]) for span in reversed(figures["over_time"])]
    since, project_id = figures["period"]["since"], project.pk if project else None
    people = decisions_by_person(request.user, project_id, since)
    if request.GET.get("format") == "csv":
        return as_csv(people, period)
    lead = lead_times(request.user, project_id, since)
    waited = waiting_times(request.user, project_id, since)
    query = request.GET.copy()
    query["format"] = "csv"
    context = {
        "title": "Statistics",
        "trail": [("Inbox", reverse("admin:index"))],
        "filter": form,
        "period": PERIODS[period],
        "span": SPANS[period],
        "figures": _headline(figures, lead, waited, PERIODS[period]),
        "people": [row | {"median": _short(row["p50"])} for row in people],
        "quick_seconds": int(QUICK.total_seconds()),
        "csv_query": query.urlencode(),
        "actions": [
            (action.label, figures["by_action"].get(action.key, 0))
            for action in registered_actions()
        ],
        "actions_total": sum(figures["by_action"].values()),
        "spans": spans,
        "most_decisions": max(row["decisions"] for row in spans),
        "most_waiting": max(row["waiting"] for row in spans),
    }
    return render_page(request, "ui/inbox/statistics.html", context)


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


def as_csv(people: list[dict[str, Any]], period: str) -> HttpResponse:
    """Decisions by person and kind, as a file for a spreadsheet."""
    file = HttpResponse(content_type="text/csv; charset=utf-8")
    file["Content-Disposition"] = f'attachment; filename="decisions-{period}.csv"'
    rows = csv.writer(file)
    rows.writerow(CSV_COLUMNS)
    for row in people:
        seconds = _seconds(row["p50"])
        values = [row[name] for name in CSV_COLUMNS[:-1]]
        rows.writerow([*map(_cell, values), "" if seconds is None else f"{seconds:.1f}"])
    return file


def _cell(value: Any) -> Any:
    """A name that begins like a formula is text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" else value


def _p95(seconds: float | None, period: str) -> str:
    if seconds is None:
        return "nothing measured yet"
    return f"median; 95 % within {short_duration(seconds)}, {period}"


def _row(span: dict[str, Any], span_format: str) -> dict[str, Any]:
    took, resumed = span["decision_time_seconds"], span["resume_latency_seconds"]
    return {
        "since": span_format.format(span["since"]),
        "opened": span["opened"],
        "decisions": sum(span["by_action"].values()),
        "expired": span["expired"],
        "waiting": span["pending"],
        "durations": [
            short_duration(seconds)
            for seconds in (took["p50"], took["p95"], resumed["p50"], resumed["p95"])
        ],
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
