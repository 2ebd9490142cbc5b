"""Projects: the list, a new one, the project's page, and the buttons that steer the run."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods, require_POST

from agents.models import Task
from agents.services import retry_task
from audit.actors import Actor
from core.errors import DomainError, NotFound
from orchestrator.engine.rewind import rewind_project
from projects.models import Project
from projects.services import (
    cancel_project,
    create_project,
    pause_project,
    resume_project,
    start_project,
)
from ui.web.admin.base import ProjectScopedAdmin, as_uuid
from ui.web.admin.project_list import ProjectChangeList
from ui.web.admin.project_page import project_context
from ui.web.artifacts.uploads import take_file
from ui.web.inbox.policy import answer_proposal, show_policy
from ui.web.members import show_members
from ui.web.models_page import show_models
from ui.web.notifications.webhooks import show_webhooks
from ui.web.pages import add_errors, render_page
from ui.web.projects.new_project import NewProjectForm, example_named, examples, workflow_pictures
from ui.web.projects.project_views import show_traceability, show_verification
from ui.web.templatetags.ui import chip
from ui.web.usage_page import show_usage
from ui.wording import time_since

VERBS: dict[str, Callable[..., Project]] = {
    "start": start_project,
    "pause": pause_project,
    "resume": resume_project,
    "cancel": cancel_project,
    "rewind": rewind_project,
}
# What each takes from its form besides the project.
FIELDS = {"cancel": ("reason",), "rewind": ("step", "comment")}
DONE = {
    "start": "The project has started.",
    "pause": "The project is paused. Work that is running may finish.",
    "resume": "The project continues.",
    "cancel": "The project is cancelled.",
    "rewind": "The project is rewound.",
}


@admin.register(Project)
class ProjectAdmin(ProjectScopedAdmin):
    project_path = ""
    list_display = ("name", "state", "progress", "waits_for", "cost", "owner", "created_at")
    list_filter = ("status", "workflow", "oversight_level")
    list_select_related = ("created_by",)
    search_fields = ("name",)
    ordering = ("-created_at", "-id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As by REST; how many is up to `PROJECTS_PER_USER`."""
        return True

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ProjectChangeList]:
        return ProjectChangeList

    @admin.display(description="state", ordering="status")
    def state(self, project: Project) -> SafeString:
        return chip(project.status)

    @admin.display(description="progress")
    def progress(self, project: Project) -> SafeString | str:
        figures = project.figures
        if not figures.total:
            return ""
        return format_html(
            '<progress max="{}" value="{}" aria-label="Steps done"></progress> {} of {}',
            *(figures.total, figures.completed, figures.completed, figures.total),
        )

    @admin.display(description="waits for")
    def waits_for(self, project: Project) -> SafeString | str:
        figures = project.figures
        age = f", {time_since(figures.since)}" if figures.since else ""
        if figures.request is None:
            return f"{figures.waits_for}{age}"
        url = reverse("admin:hitl_hitlrequest_change", args=[figures.request])
        return format_html('<a href="{}">{}</a>{}', url, figures.waits_for, age)

    @admin.display(description="cost")
    def cost(self, project: Project) -> str:
        return project.figures.cost

    @admin.display(description="made by", ordering="created_by__username")
    def owner(self, project: Project) -> str:
        return project.created_by.get_username()

    def get_urls(self) -> list[URLPattern]:
        steer = self.admin_site.admin_view(self.steer_view)
        policy = self.admin_site.admin_view(self.policy_view)
        members = self.admin_site.admin_view(self.members_view)
        usage = self.admin_site.admin_view(self.usage_view)
        models = self.admin_site.admin_view(self.models_view)
        upload = self.admin_site.admin_view(self.upload_view)
        retry = self.admin_site.admin_view(self.retry_view)
        webhooks = self.admin_site.admin_view(self.webhooks_view)
        return [
            *(
                path(f"<uuid:project_id>/{verb}/", steer, {"verb": verb}, name=f"project_{verb}")
                for verb in VERBS
            ),
            path("<uuid:project_id>/policy/", policy, name="project_policy"),
            path("<uuid:project_id>/members/", members, name="project_members"),
            path("<uuid:project_id>/usage/", usage, name="project_usage"),
            path("<uuid:project_id>/models/", models, name="project_models"),
            *(
                path(
                    f"<uuid:project_id>/policy/<uuid:proposal_id>/{verb}/",
                    self.admin_site.admin_view(self.proposal_view),
                    {"verb": verb},
                    name=f"project_proposal_{verb}",
                )
                for verb in ("confirm", "decline")
            ),
            path("<uuid:project_id>/webhooks/", webhooks, name="project_webhooks"),
            path(
                "<uuid:project_id>/requirements/",
                self.admin_site.admin_view(self.traceability_view),
                name="project_traceability",
            ),
            path(
                "<uuid:project_id>/verify/",
                self.admin_site.admin_view(self.verify_view),
                name="project_verify",
            ),
            path("<uuid:project_id>/upload/", upload, name="project_upload"),
            path("<uuid:project_id>/tasks/<uuid:task_id>/retry/", retry, name="project_retry"),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        example = example_named(request.GET.get("example", ""))
        form = NewProjectForm(request.POST or None, request.FILES or None, initial=example)
        if request.method == "POST" and form.is_valid():
            actor = Actor.of_user(request.user)
            try:
                project = create_project(actor=actor, **form.project_fields())
            except DomainError as error:
                add_errors(form, error)
            else:
                self.message_user(request, f"Created {project.name}.", messages.SUCCESS)
                return redirect("admin:projects_project_change", project.pk)
        context = {
            "title": "New project",
            "trail": [("Projects", reverse("admin:projects_project_changelist"))],
            "form": form,
            "examples": examples(),
            "workflows": workflow_pictures(),
        }
        status = 400 if form.errors else 200
        return render_page(request, "ui/projects/new_project.html", context, status=status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        project = self._get(request, as_uuid(object_id))
        # The admin's lists put their filters into the links to what they list.
        filters = request.GET.get("_changelist_filters", "")
        list_url = reverse("admin:projects_project_changelist") + (f"?{filters}" if filters else "")
        context = project_context(project, request.user) | {
            "title": project.name,
            "trail": [("Projects", list_url)],
            "rewind_to": request.GET.get("rewind", ""),
        }
        return render_page(request, "ui/projects/project.html", context)

    @method_decorator(require_http_methods(["GET", "POST"]))
    def policy_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_policy(request, self._get(request, project_id))

    @method_decorator(require_http_methods(["GET", "POST"]))
    def members_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_members(request, self._get(request, project_id))

    @method_decorator(require_http_methods(["GET", "POST"]))
    def webhooks_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_webhooks(request, self._get(request, project_id))

    def traceability_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_traceability(request, self._get(request, project_id))

    def verify_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_verification(request, self._get(request, project_id))

    @method_decorator(require_http_methods(["GET", "POST"]))
    def usage_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_usage(request, self._get(request, project_id))

    @method_decorator(require_http_methods(["GET", "POST"]))
    def models_view(self, request: HttpRequest, project_id: UUID) -> HttpResponse:
        return show_models(request, self._get(request, project_id))

    def proposal_view(
        self, request: HttpRequest, project_id: UUID, proposal_id: UUID, verb: str
    ) -> HttpResponse:
        return answer_proposal(request, self._get(request, project_id), proposal_id, verb)

    @method_decorator(require_POST)
    def steer_view(self, request: HttpRequest, project_id: UUID, verb: str) -> HttpResponse:
        """Raises Http404 for who may not see the project."""
        project = self._get(request, project_id)
        fields = {name: request.POST.get(name, "") for name in FIELDS.get(verb, ())}
        try:
            VERBS[verb](project_id=project.pk, actor=Actor.of_user(request.user), **fields)
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            self.show_error(request, error)
        else:
            self.message_user(request, DONE[verb], messages.SUCCESS)
        return redirect("admin:projects_project_change", project.pk)

    @method_decorator(require_POST)
    def retry_view(self, request: HttpRequest, project_id: UUID, task_id: UUID) -> HttpResponse:
        """Try a piece of work again now. Raises Http404 for who may not see the project."""
        project = self._get(request, project_id)
        if not Task.objects.filter(pk=task_id, project=project).exists():
            raise Http404("There is no such task in this project.")
        try:
            retry_task(task_id=task_id, actor=Actor.of_user(request.user))
        except DomainError as error:
            self.show_error(request, error)
        else:
            self.message_user(request, "It is tried again now.", messages.SUCCESS)
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
            self.show_error(request, error)
            return redirect("admin:projects_project_change", project.pk)
        self.message_user(request, f"Uploaded “{artifact.title}”.", messages.SUCCESS)
        return redirect("admin:context_artifact_change", artifact.pk)

    def _get(self, request: HttpRequest, project_id: UUID) -> Project:
        projects = self.get_queryset(request).select_related("created_by")
        project = projects.filter(pk=project_id).first()
        if project is None:
            raise Http404("There is no such project, or you may not see it.")
        return project
