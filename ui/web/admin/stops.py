"""The emergency stop: one page with the buttons, and the list of all that there were."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from agents.models import EmergencyStop
from agents.selectors import stops_for, wait_for_acknowledgements
from agents.services import activate_emergency_stop, release_emergency_stop
from audit.actors import Actor
from core.errors import DomainError
from projects.access import MANAGE, role_of
from projects.agent_types import agent_types
from projects.models import Project
from ui.web.admin.project_scoped import MemberAdmin
from ui.web.pages import desk_page

WAIT_SECONDS = 2.0
VERBS = {"activate": activate_emergency_stop, "release": release_emergency_stop}


class StopForm(forms.Form):
    """Shape only: who may stop what, and that a reason is needed, the services say."""

    verb = forms.ChoiceField(choices=[(verb, verb) for verb in VERBS])
    project_id = forms.UUIDField(required=False)
    agent_type = forms.CharField(required=False)
    reason = forms.CharField(required=False)


@admin.register(EmergencyStop)
class EmergencyStopAdmin(MemberAdmin):
    list_display = ("scope_words", "reason", "activated_by", "activated_at", "released_at")
    list_filter = ("agent_type",)
    list_select_related = ("project", "activated_by")
    search_fields = ("reason", "project__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super(MemberAdmin, self).get_queryset(request).visible_to(request.user)

    @admin.display(description="stops")
    def scope_words(self, stop: EmergencyStop) -> str:
        return stop.scope_words

    def get_urls(self) -> list[URLPattern]:
        control = self.admin_site.admin_view(self.control_view)
        return [path("control/", control, name="agents_emergencystop_control"), *super().get_urls()]

    def control_view(self, request: HttpRequest) -> HttpResponse:
        """What stands, and the buttons to stop and to release."""
        if request.method == "POST":
            return self._act(request)
        context = {
            "title": "Emergency stop",
            "standing": [_offered(one, request.user) for one in stops_for(request.user).active()],
            "may_stop_all": request.user.is_staff,
            "agent_types": agent_types.values,
        }
        return desk_page(self.admin_site, request, "ui/emergency_stop.html", context)

    def _act(self, request: HttpRequest) -> HttpResponse:
        form = StopForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "Nothing was done: the form is not whole.", messages.ERROR)
            return redirect("admin:agents_emergencystop_control")
        wanted = form.cleaned_data
        verb, project_id = wanted.pop("verb"), wanted["project_id"]
        try:
            stop, _ = VERBS[verb](actor=Actor.of_user(request.user), **wanted)
        except DomainError as error:
            self.say_refused(request, error)
        else:
            self.message_user(request, _said(verb, stop), messages.SUCCESS)
        return redirect(*_back(request.user, project_id))


def _said(verb: str, stop: EmergencyStop) -> str:
    if verb == "release":
        return f"Released: {stop.scope_words}."
    seen = wait_for_acknowledgements(stop.pk, WAIT_SECONDS)
    return f"Stopped: {seen.scope_words}; {seen.workers_words}."


def _back(user: Any, project_id: UUID | None) -> tuple[Any, ...]:
    if project_id and Project.objects.visible_to(user).filter(pk=project_id).exists():
        return "admin:projects_project_change", project_id
    return ("admin:agents_emergencystop_control",)


def _offered(stop: EmergencyStop, user: Any) -> dict[str, Any]:
    return {"stop": stop, "may_release": may_stop(user, stop.project_id)}


def may_stop(user: Any, project_id: UUID | None) -> bool:
    """Whether the button is shown; the service decides."""
    if user.is_superuser or project_id is None:
        return user.is_superuser or user.is_staff
    return role_of(user, project_id) in MANAGE
