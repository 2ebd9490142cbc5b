from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.services import Draft, record_all
from context.enums import DerivationKind, Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import check_content
from context.services.storage import Source, insert_version
from context.services.versions import accept_version, version_draft
from context.signals import artifact_changed
from context.types.user_input import USER_INPUT
from core.errors import Conflict, InvalidInput, NotFound
from core.text import is_storable
from projects.access import DECIDE, authorize
from projects.models import Project
from projects.services import lock_project


@transaction.atomic
def create_artifact(
    *,
    actor: Actor,
    project_id: UUID,
    artifact_type: str,
    title: str,
    content: Any,
    granularity: str = Granularity.DOCUMENT,
    comment: str = "",
) -> Artifact:
    """A person's own artifact, accepted as it is: what is handed in is input, not a result.

    Raises InvalidInput, TooLarge, NotFound.
    """
    if not title.strip() or len(title) > 300 or not is_storable(title):
        raise InvalidInput.of("title", "invalid", "Give it a title of 1 to 300 characters.")
    project = lock_project(project_id)
    authorize(actor, project_id, DECIDE)
    artifact, draft = store_input(
        project=project,
        author=actor,
        artifact_type=artifact_type,
        title=title,
        content=content,
        granularity=granularity,
        comment=comment,
    )
    record_all(project.pk, [draft])
    return artifact


def store_input(
    *,
    project: Project,
    author: Actor,
    artifact_type: str,
    title: str,
    content: Any,
    granularity: str = Granularity.DOCUMENT,
    comment: str = "",
) -> tuple[Artifact, Draft]:
    """A person's artifact with its first version; the caller holds the lock and records it."""
    checked = check_content(artifact_type, content)
    artifact = Artifact.objects.create(
        project=project,
        artifact_type=artifact_type,
        granularity=Granularity(granularity),
        title=title.strip(),
        version=1,
        accepted_version=1,
        created_by=author.user,
    )
    version = ArtifactVersion(
        artifact=artifact,
        number=1,
        status=VersionStatus.ACCEPTED,
        author=author.user,
        comment=comment,
    )
    insert_version(version, checked, artifact)
    return artifact, version_draft(artifact, version, author)


@transaction.atomic
def add_version(
    *,
    actor: Actor,
    artifact_id: UUID,
    content: Any,
    base_version: int | None = None,
    comment: str = "",
) -> ArtifactVersion:
    """A person's new version, as a draft: the work goes on with it only by a decision.

    A person's own input (`user_input`) is accepted at once. Raises InvalidInput, TooLarge,
    NotFound, Conflict `stale_version` when `base_version` is no longer the last one.
    """
    artifact = _lock_artifact(artifact_id)
    authorize(actor, artifact.project_id, DECIDE)
    if base_version is not None and base_version != artifact.version:
        raise Conflict(
            "stale_version",
            f"The last version is {artifact.version}, not {base_version}. "
            "Read it, then send your change again.",
            version=artifact.version,
            base_version=base_version,
        )
    version = write_version(
        artifact, actor=actor, content=content, base_version=base_version, comment=comment
    )
    if artifact.artifact_type == USER_INPUT:
        accept_version(artifact, version)
    record_all(artifact.project_id, [version_draft(artifact, version, actor)])
    artifact_changed.send(Artifact, artifact=artifact)
    return version


def _lock_artifact(artifact_id: UUID) -> Artifact:
    project_id = Artifact.objects.filter(pk=artifact_id).values_list("project", flat=True).first()
    if project_id is None:
        raise NotFound("not_found", "There is no such artifact.")
    lock_project(project_id)
    return Artifact.objects.get(pk=artifact_id)


def write_version(
    artifact: Artifact,
    *,
    actor: Actor,
    content: Any,
    base_version: int | None = None,
    comment: str = "",
    decision: UUID | None = None,
) -> ArtifactVersion:
    """The next version by a person; the caller holds the project's lock and records it.

    `base_version` is the one it was written from, the last one unless told; `decision` the id of
    the decision that brought it.
    """
    checked = check_content(artifact.artifact_type, content)
    artifact.version += 1
    artifact.save(update_fields=["version", "updated_at"])
    version = ArtifactVersion(
        artifact=artifact,
        number=artifact.version,
        author=actor.user,
        comment=comment,
        decision=decision,
    )
    insert_version(version, checked, artifact, _before(artifact, base_version))
    return version


def _before(artifact: Artifact, base_version: int | None) -> list[Source]:
    number = base_version or artifact.version - 1
    return [Source(artifact.pk, number, DerivationKind.REVISED)] if number else []
