"""The page of a project's members: everybody reads it, an owner invites, changes roles, removes."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from audit.actors import Actor
from core.errors import DomainError, InvalidInput, NotFound
from projects.access import MANAGE, require_role, role_of
from projects.enums import Role
from projects.groups import add_group, remove_group
from projects.invitations import invite_member, withdraw_invitation
from projects.models import Project
from projects.selectors import find_user
from projects.services import NO_SUCH_MEMBER, add_member, remove_member
from projects.views import invitation_link
from ui.web.pages import add_errors, render_page
from ui.wording import ROLES

ROLE_CHOICES = [(role.value, f"{role.label}: {ROLES[role]}") for role in reversed(Role)]


VERBS = ("role", "remove", "withdraw", "group", "remove_group")


class InviteForm(forms.Form):
    """By user name where there is such an account, else by mail."""

    who = forms.CharField(
        label="User name or mail address",
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(choices=ROLE_CHOICES, initial=Role.VIEWER, widget=forms.RadioSelect)


class ChangeForm(forms.Form):
    """A button beside a member, or beside an invitation."""

    verb = forms.ChoiceField(
        choices=[(verb, verb) for verb in ("role", "remove", "withdraw", "group", "remove_group")]
    )
    user = forms.IntegerField(required=False)
    role = forms.ChoiceField(choices=Role.choices, required=False)
    invitation = forms.UUIDField(required=False)
    group = forms.CharField(required=False, max_length=150)


def show_members(request: HttpRequest, project: Project) -> HttpResponse:
    """The members, and on POST a change. Raises Http404 for who may not see the project."""
    is_change = "verb" in request.POST
    form = InviteForm(request.POST if request.method == "POST" and not is_change else None)
    status = 200
    if request.method == "POST":
        try:
            if is_change:
                change_member(request, project)
            elif form.is_valid():
                invite(request, project, **form.cleaned_data)
            if not form.errors:
                stays = Project.objects.visible_to(request.user).filter(pk=project.pk).exists()
                place = ["admin:project_members", project.pk] if stays else ["admin:index"]
                return redirect(*place)
            status = 400
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            status = error.status
            if is_change:
                messages.error(request, f"{error.detail} ({error.code})")
            else:
                add_errors(form, error)
    is_owner = role_of(request.user, project.pk) == Role.OWNER
    may_manage = is_owner or request.user.is_superuser
    members = list(project.memberships.select_related("user", "group").order_by("created_at"))
    absences = {row.delegator_id: row for row in current_absences(project)}
    for member in members:
        member.absence = absences.get(member.user_id)
    invitations = project.invitations.open().select_related("invited_by")
    context = {
        "title": f"Members of {project.name}",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "project": project,
        "form": form,
        "members": members,
        "invitations": invitations if may_manage else [],
        "groups": project.group_memberships.select_related("group"),
        "roles": Role.choices,
        "may_manage": may_manage,
        "now": timezone.now(),
    }
    return render_page(request, "ui/people/members.html", context, status=status)


def current_absences(project: Project) -> Any:
    rows = project.delegations.current().select_related("delegate")
    # The next one stands: later ones are overwritten by it.
    return rows.order_by("-starts_at")


def invite(request: HttpRequest, project: Project, *, who: str, role: str) -> None:
    """Whoever has an account becomes a member at once; others get a mail. Raises DomainError."""
    actor, user = Actor.of_user(request.user), find_user(who.strip())
    if user is not None and user.is_active:
        add_member(project_id=project.pk, actor=actor, user=user, role=role)
        messages.success(request, f"{user.get_username()} is a member now.")
        return
    if "@" not in who:
        # Before whether there is such a user: who may not add anybody is not told.
        require_role(request.user, project.pk, MANAGE)
        detail = "There is no such user. Invite somebody without an account by mail address."
        raise InvalidInput.of("who", "does_not_exist", detail)
    invitation = invite_member(
        project_id=project.pk,
        actor=actor,
        email=who,
        role=role,
        link_to=invitation_link,
    )
    invitation.refresh_from_db(fields=["sent_at"])
    if invitation.sent_at is None:
        messages.warning(request, f"The mail to {invitation.email} could not be sent. See below.")
    else:
        messages.success(request, f"Invited {invitation.email}. The link works once.")


def change_member(request: HttpRequest, project: Project) -> None:
    """Raises DomainError."""
    form = ChangeForm(request.POST)
    if not form.is_valid() or (form.cleaned_data["verb"] == "role") > bool(
        form.cleaned_data["role"]
    ):
        raise InvalidInput("invalid", "Nothing was done: the form is incomplete.")
    fields, whole = (
        form.cleaned_data,
        {"project_id": project.pk, "actor": Actor.of_user(request.user)},
    )
    if fields["verb"] == "group":
        row = add_group(group=fields["group"].strip(), role=fields["role"], **whole)
        messages.success(request, f"Whoever is in the group {row.group.name} is a member now.")
    elif fields["verb"] == "remove_group":
        remove_group(group_id=as_number(fields["group"]), **whole)
        messages.success(request, "The group is removed, with all who were members by it alone.")
    elif fields["verb"] == "withdraw":
        withdraw_invitation(invitation_id=fields["invitation"], **whole)
        messages.success(request, "The invitation is withdrawn; its link is worth nothing now.")
    elif fields["verb"] == "remove":
        remove_member(user_id=fields["user"], **whole)
        messages.success(request, "Removed. What they decided stays.")
    else:
        member = project.memberships.select_related("user").filter(user=fields["user"]).first()
        if member is None:
            raise NotFound("not_found", NO_SUCH_MEMBER)
        add_member(user=member.user, role=fields["role"], **whole)
        messages.success(request, f"{member.user.get_username()} is {fields['role']} now.")


def as_number(text: str) -> int:
    """-1, which is nobody's, for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
