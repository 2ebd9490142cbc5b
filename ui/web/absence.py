"""On one's own page: being away, and who decides meanwhile."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest

from audit.actors import Actor
from core.errors import InvalidInput
from hitl.delegation import Delegation
from hitl.services import delegate_decisions, end_delegation
from projects.access import DECIDE
from projects.enums import ProjectStatus
from projects.models import Membership, Project
from ui.wording import counted, timestamp

# Where there may still be something to decide.
OPEN = (ProjectStatus.DRAFT, ProjectStatus.ACTIVE, ProjectStatus.PAUSED)


def own_projects(user: Any) -> list[Project]:
    """In which this person decides."""
    deciding = Q(memberships__user=user, memberships__role__in=DECIDE)
    return list(Project.objects.filter(deciding, status__in=OPEN).order_by("pk"))


def colleagues(user: Any) -> list[str]:
    """The user names of those who decide somewhere beside them."""
    members = Membership.objects.filter(
        project__in=own_projects(user), role__in=DECIDE, user__is_active=True
    )
    names = members.exclude(user=user).values_list("user__username", flat=True)
    return sorted(set(names))


def moment_field(label: str, **options: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, **options)


class AbsenceForm(forms.Form):
    starts_at = moment_field("Away from (empty: now)", required=False)
    ends_at = moment_field("Until")
    delegate = forms.ChoiceField(label="Who decides for you?", required=False)

    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(data)
        names = [(name, name) for name in colleagues(user)]
        self.fields["delegate"].choices = [("", "Nobody"), *names]
        self.user = user

    @transaction.atomic
    def save(self, request: HttpRequest) -> None:
        """In every project in which they decide, or in none. Raises DomainError."""
        values, actor = self.cleaned_data, Actor.of_user(self.user)
        delegate = get_user_model().objects.filter(username=values["delegate"]).first()
        projects, stood_for = own_projects(self.user), 0
        if not projects:
            raise InvalidInput.of("ends_at", "nothing_to_decide", "You decide in no project now.")
        for project in projects:
            decides = Membership.objects.filter(project=project, user=delegate, role__in=DECIDE)
            stands_in = delegate if delegate and decides.exists() else None
            delegate_decisions(
                project_id=project.pk,
                actor=actor,
                delegate=stands_in,
                starts_at=values["starts_at"],
                ends_at=values["ends_at"],
            )
            stood_for += stands_in is not None
        text = f"You are away until {timestamp(values['ends_at'])}."
        if delegate:
            name, of = delegate.get_username(), counted(len(projects), "project")
            text += f" {name} decides for you in {stood_for} of {of}."
        messages.success(request, text)


def end_absence(request: HttpRequest, delegation_id: UUID) -> None:
    """Raises NotFound, Forbidden."""
    row = Delegation.objects.filter(pk=delegation_id).first()
    project_id = row.project_id if row else UUID(int=0)
    actor = Actor.of_user(request.user)
    end_delegation(project_id=project_id, actor=actor, delegation_id=delegation_id)
    messages.success(request, "Ended.")


def absences_of(user: Any) -> Any:
    """Now and to come: the person's own, and those in which they stand in."""
    rows = Delegation.objects.current().filter(Q(delegator=user) | Q(delegate=user))
    return rows.select_related("project", "delegator", "delegate").order_by("starts_at", "id")
