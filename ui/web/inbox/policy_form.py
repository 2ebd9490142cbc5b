"""A project's policy as a form: times as people write them, roles as a choice for each case."""

import re
from typing import Any

from django import forms

from core.errors import DomainError
from hitl.enums import OnTimeout, RequestKind
from hitl.models import Policy
from hitl.models.policies import APPROVALS_MAX
from hitl.policy import TIMES
from projects.access import DECIDE
from projects.enums import Phase
from ui.web.templatetags.ui import words

UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}
WRITTEN = re.compile(r"\s*(\d{1,9})\s*(s|min|h|days?)\s*")
ROLES = [("", "owners and approvers"), *((role, f"{role}s only") for role in sorted(DECIDE))]
GROUPS = {"roles_by_kind": RequestKind.values, "roles_by_phase": Phase.values}


class DurationField(forms.Field):
    """Seconds, written as `30 min`, `4 h`, `2 days`; empty is None."""

    def to_python(self, value: Any) -> int | None:
        if not value or not value.strip():
            return None
        written = WRITTEN.fullmatch(value)
        if not written:
            raise forms.ValidationError("Write a number and s, min, h or days, as in 4 h.")
        return int(written[1]) * UNITS[written[2]]

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        unit = next(one for one in ("days", "h", "min", "s") if value % UNITS[one] == 0)
        return f"{value // UNITS[unit]} {unit}"


def _duration(label: str) -> DurationField:
    return DurationField(label=label, required=False)


class PolicyForm(forms.Form):
    """Shape only: what fits together, `change_policy` says."""

    required_approvals = forms.IntegerField(
        label="How many different people must approve?", min_value=1, max_value=APPROVALS_MAX
    )
    prevent_self_approval = forms.BooleanField(
        label="Who wrote of what is decided may not decide on it", required=False
    )
    answers_count_as_content = forms.BooleanField(
        label="Who answered an agent's questions counts as having written", required=False
    )
    remind_after = _duration("Remind after")
    due_after = _duration("Overdue after")
    expire_after = _duration("Time is up after")
    on_timeout = forms.ChoiceField(
        label="When the time is up", choices=OnTimeout.choices, widget=forms.RadioSelect
    )

    def __init__(self, data: Any, policy: Policy) -> None:
        super().__init__(data, initial=_initial(policy))
        for group, keys in GROUPS.items():
            for key in keys:
                self.fields[f"{group}.{key}"] = forms.ChoiceField(
                    label=words(key), choices=ROLES, required=False
                )

    @property
    def times(self) -> list[forms.BoundField]:
        return [self[name] for name in TIMES]

    @property
    def by_kind(self) -> list[forms.BoundField]:
        return [self[f"roles_by_kind.{key}"] for key in RequestKind.values]

    @property
    def by_phase(self) -> list[forms.BoundField]:
        return [self[f"roles_by_phase.{key}"] for key in Phase.values]

    def changes(self) -> dict[str, Any]:
        """As `change_policy` takes them."""
        said = dict(self.cleaned_data)
        for group, keys in GROUPS.items():
            chosen = {key: said.pop(f"{group}.{key}") for key in keys}
            said[group] = {key: [role] for key, role in chosen.items() if role}
        return said

    def take(self, error: DomainError) -> None:
        """Show the service's reasons at their fields."""
        for one in error.errors or [{"field": "", "detail": error.detail}]:
            self.add_error(one["field"] if one["field"] in self.fields else None, one["detail"])


def _initial(policy: Policy) -> dict[str, Any]:
    names = list(PolicyForm.base_fields)
    initial = {name: getattr(policy, name) for name in names}
    for group in GROUPS:
        for key, roles in getattr(policy, group).items():
            initial[f"{group}.{key}"] = roles[0] if len(roles) == 1 else ""
    return initial
