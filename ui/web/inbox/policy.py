"""How a project decides: every member reads the policy, an owner changes it."""

import re
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from agents.enums import RequestKind
from agents.tool import tool_choices
from audit.actors import Actor
from core.errors import DomainError, NotFound
from hitl.models import APPROVALS_MAX, Policy
from hitl.policy import TIMES, policy_of, with_floor
from hitl.selectors import loosenings_of, pending_loosening
from hitl.services import change_policy, confirm_loosening, decline_loosening
from projects.access import DECIDE, role_of
from projects.enums import Phase, Role
from projects.floor import installation_floor
from projects.models import Project
from ui.web.pages import add_errors, render_page
from ui.wording import ON_TIMEOUT, changes_text, floor_text, label, loosening_text

WAITS = "What is less strict waits until another owner agrees. The rest is saved."
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
            raise forms.ValidationError("Write a number with s, min, h or days, such as 4 h.")
        return int(written[1]) * UNITS[written[2]]

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        unit = next(unit for unit in ("days", "h", "min", "s") if value % UNITS[unit] == 0)
        return f"{value // UNITS[unit]} {unit}"


class PolicyForm(forms.Form):
    """Shape only: whether the values fit together is up to `change_policy`."""

    required_approvals = forms.IntegerField(
        label="How many different people must approve?", min_value=1, max_value=APPROVALS_MAX
    )
    prevent_self_approval = forms.BooleanField(
        label="Authors can't decide on their own work", required=False
    )
    answers_count_as_content = forms.BooleanField(
        label="Answering an agent's questions counts as authorship", required=False
    )
    reauthenticate = forms.MultipleChoiceField(
        label="Ask for the password again before a decision on",
        choices=[(kind, label(kind)) for kind in RequestKind.values],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    ask_before_tools = forms.MultipleChoiceField(
        label="Ask before each call of these tools of the project's own agents",
        choices=tool_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    remind_after = DurationField(label="Remind after", required=False)
    due_after = DurationField(label="Overdue after", required=False)
    expire_after = DurationField(label="Time limit", required=False)
    on_timeout = forms.ChoiceField(
        label="When the time limit passes",
        choices=[(key, text.capitalize()) for key, text in ON_TIMEOUT.items()],
        widget=forms.RadioSelect,
    )

    def __init__(self, data: Any, policy: Policy) -> None:
        initial = {name: getattr(policy, name) for name in self.base_fields}
        for group in GROUPS:
            for key, roles in getattr(policy, group).items():
                initial[f"{group}.{key}"] = roles[0] if len(roles) == 1 else ""
        super().__init__(data, initial=initial)
        for group, keys in GROUPS.items():
            for key in keys:
                self.fields[f"{group}.{key}"] = forms.ChoiceField(
                    label=label(key), choices=ROLES, required=False
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
        changes = dict(self.cleaned_data)
        for group, keys in GROUPS.items():
            chosen = {key: changes.pop(f"{group}.{key}") for key in keys}
            changes[group] = {key: [role] for key, role in chosen.items() if role}
        return changes


def loosening_context(project: Project, user: Any, *, is_owner: bool) -> dict[str, Any]:
    """What waits for another owner, and what one person alone has loosened."""
    proposal = pending_loosening(project)
    is_own = proposal is not None and proposal.proposed_by_id == user.pk
    return {
        "proposal": proposal,
        "proposal_text": changes_text(proposal.changes) if proposal else "",
        "may_confirm": proposal is not None and is_owner and not is_own,
        "may_decline": proposal is not None and (is_owner or is_own),
        "loosenings": [loosening_text(loosening) for loosening in loosenings_of(project)],
    }


@require_POST
def answer_proposal(
    request: HttpRequest, project: Project, proposal_id: UUID, verb: str
) -> HttpResponse:
    """Another owner's word on less strict rules."""
    service = {"confirm": confirm_loosening, "decline": decline_loosening}[verb]
    try:
        actor = Actor.of_user(request.user)
        service(project_id=project.pk, loosening_id=proposal_id, actor=actor)
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        messages.error(request, f"{error.detail} ({error.code})")
    else:
        done = {"confirm": "The less strict rules hold from now on.", "decline": "Declined."}
        messages.success(request, done[verb])
    return redirect("admin:project_policy", project.pk)


def show_policy(request: HttpRequest, project: Project) -> HttpResponse:
    """The policy, and on POST its change. Raises Http404 for who may not see the project."""
    policy = with_floor(policy_of(project.pk), installation_floor())
    form = PolicyForm(request.POST if request.method == "POST" else None, policy)
    status = 200
    if form.is_bound and not form.is_valid():
        status = 400
    elif form.is_bound:
        try:
            actor = Actor.of_user(request.user)
            changed = change_policy(project_id=project.pk, actor=actor, **form.changes())
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            add_errors(form, error)
            status = error.status
        else:
            if getattr(changed, "awaits", None):
                messages.warning(request, WAITS)
                return redirect("admin:project_policy", project.pk)
            messages.success(request, "Saved. The policy applies to requests opened from now on.")
            return redirect("admin:projects_project_change", project.pk)
    is_owner = role_of(request.user, project.pk) == Role.OWNER
    context = {
        "title": f"How {project.name} decides",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "project": project,
        "form": form,
        "may_change": request.user.is_superuser or is_owner,
        "floor": floor_text(policy.floor),
        **loosening_context(project, request.user, is_owner=is_owner),
    }
    return render_page(request, "ui/inbox/policy.html", context, status=status)
