from django.contrib import admin

from context.models import Artifact, ArtifactVersion
from projects.member_admin import MemberAdmin


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


@admin.register(ArtifactVersion)
class ArtifactVersionAdmin(MemberAdmin):
    project_path = "artifact__project"
    list_display = ("artifact", "number", "status", "source_agent", "author", "created_at")
    list_filter = ("status", "source_agent", "provider")
    list_select_related = ("artifact", "author")
    search_fields = ("artifact__title", "=sha256")
    ordering = ("-id",)
