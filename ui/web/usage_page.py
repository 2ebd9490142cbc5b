"""What a project's models took, and its budgets: members read, an owner changes the limits."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agents.services.budgets import MICROS, money
from agents.usage.totals import usage_of
from audit.actors import Actor
from core.errors import DomainError, NotFound
from projects.access import role_of
from projects.agent_types import agent_types
from projects.enums import Role
from projects.models import Project
from projects.services import update_project
from ui.web.pages import add_errors, render_page
from ui.wording import counted

LIMITS = {
    "budget_micros": "Budget of the project",
    "budget_soft_micros": "Ask a person from",
    "budget_day_micros": "Budget of a day (UTC)",
}
DAYS_MAX = 60


class MoneyField(forms.DecimalField):
    """Millionths, written as whole units of the currency; empty is None: no limit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            min_value=0, max_digits=15, decimal_places=6, required=False, localize=False, **options
        )

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else int(amount * MICROS)

    def prepare_value(self, value: Any) -> Any:
        return money(value).replace(",", "") if isinstance(value, int) else value


class BudgetForm(forms.Form):
    """Shape only: whether the limits fit together is up to `update_project`."""

    def __init__(self, data: Any, project: Project) -> None:
        initial = {name: getattr(project, name) for name in LIMITS}
        initial |= {f"agent.{name}": n for name, n in project.agent_budgets_micros.items()}
        super().__init__(data, initial=initial)
        for name, text in LIMITS.items():
            self.fields[name] = MoneyField(label=text)
        for name in agent_types.values:
            self.fields[f"agent.{name}"] = MoneyField(label=name)

    @property
    def limits(self) -> list[forms.BoundField]:
        return [self[name] for name in LIMITS]

    @property
    def by_agent(self) -> list[forms.BoundField]:
        return [self[f"agent.{name}"] for name in agent_types.values]

    def changes(self) -> dict[str, Any]:
        changes = {name: self.cleaned_data[name] for name in LIMITS}
        agents = {name: self.cleaned_data[f"agent.{name}"] for name in agent_types.values}
        changes["agent_budgets_micros"] = {n: m for n, m in agents.items() if m is not None}
        return changes


def show_usage(request: HttpRequest, project: Project) -> HttpResponse:
    """The figures, and on POST new limits. Raises Http404 for who may not see the project."""
    form = BudgetForm(request.POST if request.method == "POST" else None, project)
    status = 200
    if form.is_bound and not form.is_valid():
        status = 400
    elif form.is_bound:
        try:
            actor = Actor.of_user(request.user)
            update_project(project_id=project.pk, actor=actor, **form.changes())
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            add_errors(form, error)
            status = error.status
        else:
            messages.success(request, "The budgets are saved.")
            return redirect("admin:project_usage", project.pk)
    usage = usage_of(project)
    tables = (
        ("By agent", [row["agent_type"] for row in usage["by_agent"]], usage["by_agent"]),
        (
            "By model",
            [":".join(filter(None, (m["provider"], m["model"]))) for m in usage["by_model"]],
            usage["by_model"],
        ),
        (
            "By day, newest first",
            [f"{row['day']:%d %b %Y}" for row in reversed(usage["by_day"])][:DAYS_MAX],
            usage["by_day"][::-1][:DAYS_MAX],
        ),
    )
    is_owner = request.user.is_superuser or role_of(request.user, project.pk) == Role.OWNER
    context = {
        "title": "Usage and budgets",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "project": project,
        "form": form,
        "figures": _figures(usage),
        "tables": [_table(*table) for table in tables],
        "may_change": is_owner,
    }
    return render_page(request, "ui/projects/usage.html", context, status=status)


def _figures(usage: dict[str, Any]) -> list[tuple[str, str, str]]:
    budget = usage["budget"]
    limit = budget["limit_micros"]
    left = "no limit" if limit is None else f"of {money(limit)}"
    unknown = counted(usage["cost_unknown_calls"], "call")
    return [
        ("Counted against the budget", money(budget["spent_micros"]), left),
        ("Held back", money(budget["reserved_micros"]), "for calls under way"),
        ("Known cost", money(usage["cost_micros"]), f"{unknown} of unknown cost"),
        ("Calls", f"{usage['calls']:,}", "of models"),
        ("Input", f"{usage['input_tokens']:,}", f"tokens, {usage['cached_tokens']:,} from a cache"),
        ("Output", f"{usage['output_tokens']:,}", "tokens"),
    ]


def _table(title: str, names: list[str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    def tokens(row: dict[str, Any]) -> int:
        return row["input_tokens"] + row["output_tokens"]

    # Where no cost is known, tokens are what there is to compare.
    compared = "cost_micros" if any(row["cost_micros"] for row in rows) else None
    values = [row[compared] if compared else tokens(row) for row in rows]
    most = max(values, default=0)
    lines = [
        {
            "name": name,
            "calls": row["calls"],
            "tokens": tokens(row),
            "cost": money(row["cost_micros"]),
            "unknown": row["cost_unknown_calls"],
            "value": value,
        }
        for name, row, value in zip(names, rows, values, strict=True)
    ]
    return {"title": title, "rows": lines, "most": most, "compares_cost": bool(compared)}
