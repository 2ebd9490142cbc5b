"""The statistics page: what `hitl.statistics` tells, as figures and plots that people read."""

from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from hitl.enums import Action
from hitl.statistics import USUAL_PERIOD, statistics
from projects.models import Project
from ui.web.inbox.plots import SECONDS, SPACE, Plot, line_plot, stacked_plot
from ui.web.inbox.queries import waiting_for
from ui.web.pages import render_page
from ui.web.templatetags.ui import words

PERIOD_WORDS = {
    "day": "the last 24 hours",
    "week": "the last 7 days",
    "month": "the last 30 days",
    "quarter": "the last 13 weeks",
}
SPAN_WORDS = {"day": "hour", "week": "six hours", "month": "day", "quarter": "week"}
LABELS = {"day": "{:%H:%M}", "week": "{:%d %b %H:%M}", "month": "{:%d %b}", "quarter": "{:%d %b}"}
PARTS = {"p50": "half within (p50)", "p95": "95 % within (p95)"}
UNITS = ((86400 * 2, 86400, "days"), (3600, 3600, "h"), (60, 60, "min"), (0, 1, "s"))


class Choice(forms.Form):
    """Both may be left out; what cannot be is taken for left out."""

    period = forms.ChoiceField(label="Period", required=False, choices=list(PERIOD_WORDS.items()))
    project = forms.ModelChoiceField(
        label="Project", required=False, queryset=Project.objects.none(), empty_label="all"
    )

    def __init__(self, data: Any, *, user: Any) -> None:
        super().__init__({"period": USUAL_PERIOD} | data.dict())
        self.fields["project"].queryset = Project.objects.visible_to(user).defer("brief")
        self.is_valid()

    @property
    def name_of_period(self) -> str:
        return self.cleaned_data.get("period") or USUAL_PERIOD

    @property
    def project_id(self) -> Any:
        project = self.cleaned_data.get("project")
        return project.pk if project else None


def show_statistics(site: AdminSite, http: HttpRequest) -> HttpResponse:
    choice = Choice(http.GET, user=http.user)
    period = choice.name_of_period
    found = statistics(http.user, choice.project_id, period)
    context = {
        "title": "Statistics",
        "trail": [("Inbox", reverse("admin:index"))],
        "waiting_count": waiting_for(http.user).count(),
        "choice": choice,
        "figures": _figures(found, PERIOD_WORDS[period]),
        "plots": _plots(found["over_time"], period),
        "space": SPACE,
    }
    return render_page(site, http, "ui/inbox/statistics.html", context)


def _figures(found: dict[str, Any], period: str) -> list[dict[str, Any]]:
    """The few numbers that come before the plots; each says what it is about."""
    took, resumed = found["decision_time_seconds"], found["resume_latency_seconds"]
    rate = found["approval_rate"]
    decided = sum(found["by_action"].values())
    return [
        _figure("Waiting now", found["pending"], f"{found['overdue']} overdue"),
        _figure("Decisions", decided, period),
        _figure("Approved as shown", _percent(rate), "of all decided, ever"),
        _figure("Time to decide", _seconds(took["p50"]), _most(took["p95"], "ever")),
        _figure("Work resumed after", _seconds(resumed["p50"]), _most(resumed["p95"], period)),
        _figure("Expired", found["expired"], period),
    ]


def _figure(name: str, value: Any, about: str) -> dict[str, Any]:
    return {"name": name, "value": value, "about": about}


def _most(p95: float | None, when: str) -> str:
    return "nothing to measure yet" if p95 is None else f"95 % within {_seconds(p95)}, {when}"


def _plots(spans: list[dict[str, Any]], period: str) -> list[Plot]:
    labels = [LABELS[period].format(span["since"]) for span in spans]
    counts, times = {"labels": labels, "say": _count}, {"labels": labels, "say": _seconds}
    actions = {words(one): [span["by_action"][one] for span in spans] for one in Action.values}
    return [
        line_plot(
            {"waiting": [span["pending"] for span in spans]},
            name="depth",
            title=f"How many requests wait, at the end of each {SPAN_WORDS[period]}",
            **counts,
        ),
        line_plot(
            _parts(spans, "decision_time_seconds"),
            SECONDS,
            name="times",
            title="From question to decision",
            **times,
        ),
        stacked_plot(actions, name="actions", title="Decisions, by action", **counts),
        line_plot(
            _parts(spans, "resume_latency_seconds"),
            SECONDS,
            name="resumed",
            title="From decision to the work going on",
            **times,
        ),
        line_plot(
            {"new": [s["opened"] for s in spans], "expired": [s["expired"] for s in spans]},
            name="opened",
            title="New requests, and requests that expired undecided",
            **counts,
        ),
    ]


def _parts(spans: list[dict[str, Any]], what: str) -> dict[str, list[float | None]]:
    return {name: [span[what][part] for span in spans] for part, name in PARTS.items()}


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{100 * rate:.3g} %"


def _seconds(value: float | None) -> str:
    """A duration in the unit that people would use."""
    if value is None:
        return "–"
    if 0 < value < 1:
        return f"{value * 1000:.0f} ms"
    _, size, unit = next(one for one in UNITS if value >= one[0])
    number = value / size
    return (
        f"{number:.0f} {unit}" if number >= 10 or number == int(number) else f"{number:.1f} {unit}"
    )
