"""The emergency stop: one page with the buttons, and the list of all that there were."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path

from agents.enums import StopLevel
from agents.models import EmergencyStop
from agents.selectors import stops_for, wait_for_acknowledgements
from agents.services import activate_emergency_stop, may_stop_everything, release_emergency_stop
from audit.actors import Actor
from core.errors import DomainError
from projects.access import role_of
from projects.agent_types import agent_types
from projects.enums import Role
from projects.models import Project
from ui.web.admin.base import ProjectScopedAdmin
from ui.web.pages import render_page

WAIT_SECONDS = 2.0
VERBS = {"activate": activate_emergency_stop, "release": release_emergency_stop}


class StopForm(forms.Form):
    """Shape only: who may stop what, and that a reason is needed, is up to the services."""

    verb = forms.ChoiceField(choices=[(verb, verb) for verb in VERBS])
    project_id = forms.UUIDField(required=False)
    agent_type = forms.CharField(required=False)
    reason = forms.CharField(required=False)


@admin.register(EmergencyStop)
class EmergencyStopAdmin(ProjectScopedAdmin):
    project_path = ""
    list_display = ("scope_text", "level", "reason", "activated_by", "activated_at", "released_at")
    list_filter = ("agent_type",)
    list_select_related = ("project", "activated_by")
    search_fields = ("reason", "project__name")

    @admin.display(description="stops")
    def scope_text(self, stop: EmergencyStop) -> str:
        return stop.scope_text

    def get_urls(self) -> list[URLPattern]:
        control = self.admin_site.admin_view(self.control_view)
        return [path("control/", control, name="agents_emergencystop_control"), *super().get_urls()]

    def control_view(self, request: HttpRequest) -> HttpResponse:
        """What is stopped, and the buttons to stop and to release."""
        if request.method == "POST":
            return self._act(request)
        stops = [
            {"stop": stop, "may_release": may_release(request.user, stop)}
            for stop in stops_for(request.user).active()
        ]
        context = {
            "title": "Emergency stop",
            "stops": stops,
            "may_stop_all": may_stop_everything(request.user),
            "agent_types": agent_types.values,
        }
        return render_page(request, "ui/emergency_stop.html", context)

    def _act(self, request: HttpRequest) -> HttpResponse:
        form = StopForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "Nothing was done: the form is incomplete.", messages.ERROR)
            return redirect("admin:agents_emergencystop_control")
        fields = form.cleaned_data
        verb, project_id = fields.pop("verb"), fields["project_id"]
        try:
            stop, _ = VERBS[verb](actor=Actor.of_user(request.user), **fields)
        except DomainError as error:
            self.show_error(request, error)
        else:
            message = f"Released: {stop.scope_text}."
            if stop.is_active:
                message = (
                    f"Your stop is released. {stop.scope_text} stays stopped: {stop.level_text}."
                )
            if verb == "activate":
                stop = wait_for_acknowledgements(stop.pk, WAIT_SECONDS)
                message = f"Stopped: {stop.scope_text}; {stop.workers_text}."
            self.message_user(request, message, messages.SUCCESS)
        visible = Project.objects.visible_to(request.user)
        if project_id and visible.filter(pk=project_id).exists():
            return redirect("admin:projects_project_change", project_id)
        return redirect("admin:agents_emergencystop_control")


def may_release(user: Any, stop: EmergencyStop) -> bool:
    """Whether the button is shown; the service decides."""
    if stop.project_id is None:
        return may_stop_everything(user)
    is_owner = role_of(user, stop.project_id) == Role.OWNER
    level = StopLevel.PROJECT if is_owner else StopLevel.INSTALLATION
    return stop.held_at in (level, StopLevel.BOTH) and (is_owner or user.is_superuser)
