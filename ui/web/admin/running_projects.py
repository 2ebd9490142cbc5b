"""The project's page, and the buttons that steer the run."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods, require_POST

from audit.actors import Actor
from core.errors import DomainError, NotFound
from orchestrator.engine.rewind import rewind_project
from orchestrator.models import WorkflowRun
from projects.models import Project
from projects.services import cancel_project, pause_project, resume_project, start_project
from ui.web.admin.project_page import everything_about
from ui.web.admin.project_scoped import MemberAdmin, as_uuid
from ui.web.admin.projects import ProjectAdmin
from ui.web.admin.search import search_page
from ui.web.artifacts.upload_forms import take_file
from ui.web.inbox.policy_page import show_policy
from ui.web.inbox.queries import waiting_for
from ui.web.pages import render_page

VERBS: dict[str, Callable[..., Project]] = {
    "start": start_project,
    "pause": pause_project,
    "resume": resume_project,
    "cancel": cancel_project,
    "rewind": rewind_project,
}
# What each takes from its form besides the project.
TAKES = {"cancel": ("reason",), "rewind": ("step", "comment")}
DONE = {
    "start": "started",
    "pause": "paused; what is running may finish",
    "resume": "resumed",
    "cancel": "cancelled",
    "rewind": "rewound",
}

admin.site.unregister(Project)


@admin.register(Project)
class RunningProjectAdmin(ProjectAdmin):
    def get_urls(self) -> list[URLPattern]:
        steer = self.admin_site.admin_view(self.steer_view)
        search = self.admin_site.admin_view(self.search_view)
        return [
            path("search/", search, name="search"),
            *(
                path(f"<uuid:project_id>/{verb}/", steer, {"verb": verb}, name=f"project_{verb}")
                for verb in VERBS
            ),
            path(
                "<uuid:project_id>/policy/",
                self.admin_site.admin_view(self.policy_view),
                name="project_policy",
            ),
            path(
                "<uuid:project_id>/upload/",
                self.admin_site.admin_view(self.upload_view),
                name="project_upload",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        project = self._get(request, as_uuid(object_id))
        context = everything_about(project, request.user) | {
            "title": project.name,
            "trail": [("Projects", reverse("admin:projects_project_changelist"))],
            "rewind_to": request.GET.get("rewind", ""),
            "waiting_count": waiting_for(request.user).count(),
        }
        return render_page(self.admin_site, request, "ui/projects/project.html", context)

    def search_view(self, request: HttpRequest) -> HttpResponse:
        context = search_page(request.user, request.GET) | {
            "waiting_count": waiting_for(request.user).count()
        }
        return render_page(self.admin_site, request, "ui/search.html", context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    def policy_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_policy(self.admin_site, request, self._get(request, project_id))

    @method_decorator(require_POST)
    def steer_view(self, request: HttpRequest, project_id: UUID, verb: str) -> HttpResponse:
        """Raises Http404 for who may not see the project."""
        project = self._get(request, project_id)
        fields = {name: request.POST.get(name, "") for name in TAKES.get(verb, ())}
        try:
            VERBS[verb](project_id=project.pk, actor=Actor.of_user(request.user), **fields)
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            self.say_refused(request, error)
        else:
            self.message_user(request, f"The project is {DONE[verb]}.", messages.SUCCESS)
        return redirect("admin:projects_project_change", project.pk)

    @method_decorator(require_POST)
    def upload_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        """A person's file as an input. Raises Http404 for who may not see the project."""
        project = self._get(request, project_id)
        try:
            artifact = take_file(request, project.pk)
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            self.say_refused(request, error)
            return redirect("admin:projects_project_change", project.pk)
        self.message_user(request, f"“{artifact.title}” is handed in.", messages.SUCCESS)
        return redirect("admin:context_artifact_change", artifact.pk)

    def _get(self, request: HttpRequest, project_id: UUID) -> Project:
        project = self.get_queryset(request).filter(pk=project_id).first()
        if project is None:
            raise Http404("There is no such project, or you may not see it.")
        return project


@admin.register(WorkflowRun)
class WorkflowRunAdmin(MemberAdmin):
    list_display = ("project", "workflow", "definition_hash", "created_at")
    list_filter = ("workflow",)
    list_select_related = ("project",)
    search_fields = ("project__name", "=definition_hash")
