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
from context.reading import json_tree, read_content
from context.side_by_side import compare_contents
from context.staleness import with_staleness
from core.errors import DomainError, NotFound
from ui.web.admin.project_scoped import MemberAdmin, as_uuid
from ui.web.artifacts.build_texts import items_with_texts
from ui.web.artifacts.lineage_svg import draw
from ui.web.artifacts.upload_forms import as_typed, may_write, take_version
from ui.web.pages import render_page

DRAWN_DEPTH = 6


@admin.register(Artifact)
class ArtifactAdmin(MemberAdmin):
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
        shown = _version(artifact, request.GET.get("version"), artifact.version)
        lineage = lineage_of(shown, depth=DRAWN_DEPTH)
        context = {
            "title": f"Lineage of {artifact.title}",
            "trail": _trail(artifact),
            "artifact": artifact,
            "shown": shown,
            "staleness": artifact.staleness,
            "drawing": draw(lineage),
            "is_complete": lineage.is_complete,
        }
        return render_page(self.admin_site, request, "ui/context/lineage.html", context)

    def _get(self, request: HttpRequest, artifact_id: UUID | None) -> Artifact:
        """Raises Http404."""
        found = self.get_queryset(request).select_related("project").filter(pk=artifact_id)
        for artifact in with_staleness(found):
            return artifact
        raise Http404("There is no such artifact, or you may not see it.")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One version for reading (`?version=`), and what changed since another (`?against=`)."""
        artifact = self._get(request, as_uuid(object_id))
        versions = list(artifact.versions.defer("inline_content").select_related("author"))
        shown = _version(artifact, request.GET.get("version"), artifact.version)
        against = _version(artifact, request.GET.get("against"), None)
        context = {
            "title": artifact.title,
            "trail": _trail(artifact),
            "artifact": artifact,
            "versions": versions[::-1],
            "shown": shown,
            "against": against,
            "html": read_content(artifact.artifact_type, shown.content),
            "tree": json_tree(shown.content),
            "compared": _compared(artifact, against, shown),
            "staleness": artifact.staleness,
            "build": ContextBuild.objects.filter(task=shown.task, fence=shown.fence).first(),
            "may_write": shown.number == artifact.version and may_write(request.user, artifact),
        }
        context |= extra_context or {}
        return render_page(self.admin_site, request, "ui/context/artifact.html", context)

    @method_decorator(require_POST)
    def write_view(self, request: HttpRequest, artifact_id: UUID) -> HttpResponse:
        """A person's next version of an input. What was typed is not lost when it is refused."""
        artifact = self._get(request, artifact_id)
        try:
            version = take_version(request, artifact)
        except NotFound as error:
            raise Http404(error.detail) from error
        except DomainError as error:
            self.say_refused(request, error)
            typed = {name: as_typed(request.POST.get(name, "")) for name in ("text", "comment")}
            page = self.change_view(request, str(artifact_id), extra_context={"typed": typed})
            page.status_code = error.status
            return page
        self.message_user(request, f"Version {version.number} is accepted.", messages.SUCCESS)
        return redirect("admin:context_artifact_change", artifact.pk)


def _trail(artifact: Artifact) -> list[tuple[str, str]]:
    project = reverse("admin:projects_project_change", args=[artifact.project_id])
    return [
        ("Artifacts", reverse("admin:context_artifact_changelist")),
        (artifact.project.name, project),
    ]


def _version(artifact: Artifact, wanted: str | None, default: int | None) -> ArtifactVersion | None:
    """Raises Http404 for a version that is named and is not there."""
    if not wanted and default is None:
        return None
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
        raise Http404("A version is a number.")
    number = int(wanted) if wanted else default
    found = artifact.versions.select_related("author").filter(number=number).first()
    if found is None:
        raise Http404("There is no such version.")
    return found


def _compared(artifact: Artifact, old: ArtifactVersion | None, new: ArtifactVersion) -> list:
    return compare_contents(artifact.artifact_type, old.content, new.content) if old else []


@admin.register(ArtifactVersion)
class ArtifactVersionAdmin(MemberAdmin):
    project_path = "artifact__project"
    list_display = ("artifact", "number", "status", "source_agent", "author", "created_at")
    list_filter = ("status", "source_agent", "provider")
    list_select_related = ("artifact", "author")
    search_fields = ("artifact__title", "=sha256")
    ordering = ("-id",)


@admin.register(ContextBuild)
class ContextBuildAdmin(MemberAdmin):
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
        found = self.get_queryset(request).select_related("project")
        build = found.filter(pk=as_uuid(object_id)).first()
        if build is None:
            raise Http404("There is no such build, or you may not see it.")
        trail = [("Context builds", reverse("admin:context_contextbuild_changelist"))]
        context = {
            "title": f"Context of {build.step or 'a task'}",
            "trail": trail,
            "build": build,
            "items": items_with_texts(build),
        }
        return render_page(self.admin_site, request, "ui/context/build.html", context)
