"""Reads of artifacts with their versions."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import F, Prefetch, Q, QuerySet

from audit.rows import RowProblem
from context.enums import VersionStatus
from context.models import Artifact, ArtifactVersion
from context.search import Scope, artifacts_with_words
from context.services.content import check_content
from context.types.user_input import USER_INPUT
from core.errors import NotFound
from projects.models import Project


def artifacts_for(user: Any, *, with_content: bool) -> QuerySet[Artifact]:
    """What the user may see, newest first, each with its last version as `newest[0]`."""
    newest = ArtifactVersion.objects.filter(number=F("artifact__version")).select_related("author")
    if not with_content:
        newest = newest.defer("inline_content")
    return (
        Artifact.objects.visible_to(user)
        .select_related("created_by")
        .prefetch_related(Prefetch("versions", newest, to_attr="newest"))
        .order_by("-created_at", "-id")
    )


def search_artifacts(queryset: QuerySet[Artifact], text: str, scope: Scope) -> QuerySet[Artifact]:
    """Title, step, or what the current version says. All of them, not only the best."""
    named = Q(title__icontains=text) | Q(step__icontains=text)
    if scope.projects == ():
        return queryset.none()
    return queryset.filter(named | Q(pk__in=artifacts_with_words(text, scope)))


def versions_of(artifact: Artifact) -> QuerySet[ArtifactVersion]:
    """Oldest first, without contents."""
    return artifact.versions.defer("inline_content").select_related("author").order_by("number")


def get_version(artifact: Artifact, number: int) -> ArtifactVersion:
    """Raises NotFound."""
    version = artifact.versions.select_related("author").filter(number=number).first()
    if version is None:
        detail = f"There is no version {number}; the last one is {artifact.version}."
        raise NotFound("not_found", detail)
    return version


def last_accepted_before(artifact_id: Any, number: int) -> ArtifactVersion | None:
    """The newest version before this one that the work went on with."""
    went_on = (VersionStatus.ACCEPTED, VersionStatus.SUPERSEDED)
    return (
        ArtifactVersion.objects.filter(artifact=artifact_id, number__lt=number, status__in=went_on)
        .order_by("-number")
        .first()
    )


def sha256_of_brief(text: str) -> str:
    """That of a version with exactly this text."""
    return check_content(USER_INPUT, {"text": text}).sha256


def brief_of(project: Project) -> Artifact | None:
    """The project's brief: the first input with a version that is the text it started with."""
    inputs = Artifact.objects.filter(project=project, artifact_type=USER_INPUT)
    briefs = inputs.filter(
        accepted_version__isnull=False, versions__sha256=sha256_of_brief(project.brief)
    )
    return briefs.order_by("created_at", "id").first()


def versions_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Whose content is not what its hash is over. For verification: it reads all of them."""
    versions = ArtifactVersion.objects.filter(artifact__project__erased_at=None)
    if project_id is not None:
        versions = versions.filter(artifact__project=project_id)
    versions = versions.select_related("artifact__project").order_by("artifact", "number")
    for version in versions.iterator(chunk_size=100):
        if not version.is_intact:
            row = f"version {version.number} of artifact {version.artifact_id}"
            problem = "its content does not have its hash"
            yield RowProblem(version.artifact.project_id, row, problem)
