from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.actors import Actor
from core.errors import DomainError
from projects.enums import OversightLevel
from projects.models import Membership, Project
from projects.services import create_project
from ui.web.admin.project_scoped import MemberAdmin
from ui.web.pages import desk_page


class NewProjectForm(forms.Form):
    """Shape only: what a project needs, `create_project` says."""

    name = forms.CharField(
        label="Name", required=False, widget=forms.TextInput(attrs={"autofocus": True})
    )
    brief = forms.CharField(
        label="Brief",
        required=False,
        strip=False,
        help_text="What is to be built, and for whom. Text or Markdown, up to 100,000 characters.",
        widget=forms.Textarea(attrs={"rows": 14}),
    )
    oversight_level = forms.ChoiceField(
        label="When is a person asked?",
        choices=OversightLevel.choices,
        initial=OversightLevel.HIGH,
        widget=forms.RadioSelect,
    )
    workflow = forms.CharField(label="Workflow", initial="sdlc", required=False)
    auto_start = forms.BooleanField(label="Start at once", initial=True, required=False)

    def take(self, error: DomainError) -> None:
        """Show the service's reasons at their fields."""
        for one in error.errors or [{"field": "", "detail": error.detail}]:
            self.add_error(one["field"] if one["field"] in self.fields else None, one["detail"])


@admin.register(Project)
class ProjectAdmin(MemberAdmin):
    list_before_template = "agents/demo_before_list.html"
    list_display = ("name", "status", "oversight_level", "workflow", "created_by", "created_at")
    list_filter = ("status", "oversight_level")
    list_select_related = ("created_by",)
    search_fields = ("name",)
    ordering = ("-created_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super(MemberAdmin, self).get_queryset(request).visible_to(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_staff

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        form = NewProjectForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            project = self._create(request, form)
            if project is not None:
                return redirect("admin:projects_project_change", project.pk)
        context = {
            "title": "New project",
            "trail": [("Projects", reverse("admin:projects_project_changelist"))],
            "form": form,
        }
        status = 400 if form.errors else 200
        return desk_page(
            self.admin_site, request, "ui/projects/new_project.html", context, status=status
        )

    def _create(self, request: HttpRequest, form: NewProjectForm) -> Project | None:
        try:
            project = create_project(actor=Actor.of_user(request.user), **form.cleaned_data)
        except DomainError as error:
            form.take(error)
            return None
        self.message_user(request, f"{project.name} is created.", messages.SUCCESS)
        return project


@admin.register(Membership)
class MembershipAdmin(MemberAdmin):
    list_display = ("project", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("project", "user")
    search_fields = ("project__name", "user__username")
