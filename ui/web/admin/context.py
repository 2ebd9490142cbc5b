"""Artifacts with their versions and lineage, and what agents were given to read."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from context.lineage import lineage_of
from context.models import Artifact, ArtifactVersion, ContextBuild
from context.side_by_side import compare_contents
from context.staleness import with_staleness
from core.errors import DomainError, NotFound
from ui.web.admin.base import ProjectScopedAdmin, as_uuid
from ui.web.artifacts.content_html import build_items, content_html, json_tree
from ui.web.artifacts.lineage_svg import draw
from ui.web.artifacts.uploads import may_write, take_version, unix_lines
from ui.web.pages import render_page

DRAWN_DEPTH = 6


@admin.register(Artifact)
class ArtifactAdmin(ProjectScopedAdmin):
    list_display = (
        "title",
        "artifact_type",
        "project",
        "version",
        "accepted_version",
        "source_agent",
        "created_at",
    )
    list_filter = ("artifact_type", "source_agent", "granularity")
    list_select_related = ("project",)
    search_fields = ("title", "project__name")

    def get_urls(self) -> list[URLPattern]:
        lineage = self.admin_site.admin_view(self.lineage_view)
        write = self.admin_site.admin_view(self.write_view)
        return [
            path("<uuid:artifact_id>/lineage/", lineage, name="artifact_lineage"),
            path("<uuid:artifact_id>/write/", write, name="artifact_write"),
            *super().get_urls(),
        ]

    def lineage_view(self, request: HttpRequest, artifact_id: UUID) -> HttpResponse:
        """What a version (`?version=`) was made from, and what was made from it."""
        artifact = self._get(request, artifact_id)
        version = _version(artifact, request.GET.get("version"), artifact.version)
        lineage = lineage_of(version, depth=DRAWN_DEPTH)
        context = {
            "title": f"Lineage of {artifact.title}",
            "trail": _trail(artifact),
            "artifact": artifact,
            "version": version,
            "staleness": artifact.staleness,
            "drawing": draw(lineage),
            "is_complete": lineage.is_complete,
        }
        return render_page(request, "ui/context/lineage.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One version for reading (`?version=`), and what changed since another (`?against=`)."""
        artifact = self._get(request, as_uuid(object_id))
        versions = artifact.versions.defer("inline_content").select_related("author")
        version = _version(artifact, request.GET.get("version"), artifact.version)
        base = _version(artifact, request.GET.get("against"), None)
        changed = [shown for shown in (version, base) if shown and shown.difference]
        html = tree = ""
        if version.difference is None:
            html = content_html(artifact.artifact_type, version.content)
            tree = json_tree(version.content)
        compared = []
        if base and not changed:
            compared = compare_contents(artifact.artifact_type, base.content, version.content)
        context = {
            "title": artifact.title,
            "trail": _trail(artifact),
            "artifact": artifact,
            "versions": list(versions)[::-1],
            "version": version,
            "base": None if changed else base,
            "changed": changed,
            "compared": compared,
            "html": html,
            "tree": tree,
            "staleness": artifact.staleness,
            "build": ContextBuild.objects.filter(task=version.task, fence=version.fence).first(),
            "may_write": version.number == artifact.version and may_write(request.user, artifact),
        }
        context |= extra_context or {}
        return render_page(request, "ui/context/artifact.html", context)

    @method_decorator(require_POST)
    def write_view(self, request: HttpRequest, artifact_id: UUID) -> HttpResponse:
        """A person's next version of an input. What was typed is not lost when it is refused."""
        artifact = self._get(request, artifact_id)
        try:
            version = take_version(request, artifact)
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            self.show_error(request, error)
            fields = ("text", "comment")
            typed = {name: unix_lines(request.POST.get(name, "")) for name in fields}
            page = self.change_view(request, str(artifact_id), extra_context={"typed": typed})
            page.status_code = error.status
            return page
        self.message_user(request, f"Version {version.number} is accepted.", messages.SUCCESS)
        return redirect("admin:context_artifact_change", artifact.pk)

    def _get(self, request: HttpRequest, artifact_id: UUID) -> Artifact:
        """Raises Http404."""
        artifacts = self.get_queryset(request).select_related("project").filter(pk=artifact_id)
        for artifact in with_staleness(artifacts):
            return artifact
        raise Http404("There is no such artifact, or you may not see it.")


def _trail(artifact: Artifact) -> list[tuple[str, str]]:
    project = reverse("admin:projects_project_change", args=[artifact.project_id])
    return [
        ("Artifacts", reverse("admin:context_artifact_changelist")),
        (artifact.project.name, project),
    ]


def _version(artifact: Artifact, text: str | None, default: int | None) -> ArtifactVersion | None:
    """Raises Http404 for a version that is named and is not there."""
    if not text and default is None:
        return None
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Http404("A version is a number.")
    number = int(text) if text else default
    version = artifact.versions.select_related("author").filter(number=number).first()
    if version is None:
        raise Http404("There is no such version.")
    return version


@admin.register(ArtifactVersion)
class ArtifactVersionAdmin(ProjectScopedAdmin):
    project_path = "artifact__project"
    list_display = ("artifact", "number", "status", "source_agent", "author", "created_at")
    list_filter = ("status", "source_agent", "provider")
    list_select_related = ("artifact", "author")
    search_fields = ("artifact__title", "=sha256")
    ordering = ("-id",)


@admin.register(ContextBuild)
class ContextBuildAdmin(ProjectScopedAdmin):
    list_display = (
        "step",
        "agent_type",
        "project",
        "attempt",
        "tokens",
        "budget",
        "error_code",
        "created_at",
    )
    list_filter = ("agent_type", "error_code")
    list_select_related = ("project",)
    search_fields = ("step", "project__name", "=task")
    ordering = ("-created_at", "-id")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """What the agent saw, and what it did not see and why."""
        builds = self.get_queryset(request).select_related("project")
        build = builds.filter(pk=as_uuid(object_id)).first()
        if build is None:
            raise Http404("There is no such build, or you may not see it.")
        trail = [("Context builds", reverse("admin:context_contextbuild_changelist"))]
        context = {
            "title": f"Context of {build.step or 'a task'}",
            "trail": trail,
            "build": build,
            "items": build_items(build),
        }
        return render_page(request, "ui/context/build.html", context)
