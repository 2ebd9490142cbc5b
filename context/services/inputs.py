from typing import Any
from uuid import UUID

from audit.actors import Actor
from context.enums import DerivationKind, Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import check_content
from context.services.storage import Source, insert_version
from context.services.versions import accept_version, record_version
from context.types.user_input import USER_INPUT
from core.errors import Conflict, InvalidInput
from core.text import is_storable
from projects.access import DECIDE
from projects.transaction import ProjectOf, ProjectTransaction


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
    with ProjectTransaction(project_id, actor, require=DECIDE) as tx:
        return store_input(
            tx,
            artifact_type=artifact_type,
            title=title,
            content=content,
            granularity=granularity,
            comment=comment,
        )


def store_input(
    tx: ProjectTransaction,
    *,
    artifact_type: str,
    title: str,
    content: Any,
    author: Actor | None = None,
    granularity: str = Granularity.DOCUMENT,
    comment: str = "",
) -> Artifact:
    """A person's artifact with its first version; by the tx's actor unless `author` is given."""
    author = author or tx.actor
    checked = check_content(artifact_type, content)
    artifact = Artifact.objects.create(
        project=tx.project,
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
    record_version(tx, artifact, version, author)
    return artifact


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
    where = ProjectOf("artifact", artifact_id)
    with ProjectTransaction(where, actor, require=DECIDE, missing="artifact") as tx:
        artifact = Artifact.objects.get(pk=artifact_id)
        if base_version is not None and base_version != artifact.version:
            raise Conflict(
                "stale_version",
                f"The last version is {artifact.version}, not {base_version}. "
                "Read it, then send your change again.",
                version=artifact.version,
                base_version=base_version,
            )
        version = write_version(
            tx, artifact, content=content, base_version=base_version, comment=comment
        )
        if artifact.artifact_type == USER_INPUT:
            accept_version(artifact, version)
        record_version(tx, artifact, version)
        tx.request_advance()
    return version


def write_version(
    tx: ProjectTransaction,
    artifact: Artifact,
    *,
    content: Any,
    base_version: int | None = None,
    comment: str = "",
    decision: UUID | None = None,
) -> ArtifactVersion:
    """The next version by a person. Not recorded: its status may still change.

    `base_version` is the one it was written from, by default the last; `decision` the id of the
    decision that brought it.
    """
    checked = check_content(artifact.artifact_type, content)
    artifact.version += 1
    artifact.save(update_fields=["version", "updated_at"])
    version = ArtifactVersion(
        artifact=artifact,
        number=artifact.version,
        author=tx.actor.user,
        comment=comment,
        decision=decision,
    )
    base = base_version or artifact.version - 1
    sources = [Source(artifact.pk, base, DerivationKind.REVISED)] if base else []
    insert_version(version, checked, artifact, sources)
    return version
