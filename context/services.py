import hashlib
from typing import Any
from uuid import UUID

from django.db import transaction
from rfc8785 import CanonicalizationError

from api.errors import Conflict, InvalidInput, NotFound, TooLarge
from api.rows import fetch_row, insert_row
from audit.actors import Actor
from audit.canonical import canonical
from audit.services import Draft, record_all
from audit.words import EventType
from context.models import Artifact, ArtifactVersion
from context.schemas import ContentError, validate_content
from context.signals import artifact_changed
from context.words import ArtifactType, Granularity, VersionStatus
from projects.access import DECIDE, authorize
from projects.models import Project
from projects.services import lock_project

OF_STEP = """
    SELECT {columns} FROM context_artifacts
    WHERE project_id = %s AND step = %s AND artifact_type = %s
"""
# Outside of a workflow the task takes the place of the step.
OF_TASK = """
    SELECT {columns} FROM context_artifacts
    WHERE project_id = %s AND step = '' AND task = %s AND artifact_type = %s
"""
CONTENT_MAX_BYTES = 2 * 1024 * 1024


def check_content(artifact_type: str, content: Any) -> tuple[dict[str, Any], str]:
    """Content that fits its type's schema, and its SHA-256. Raises InvalidInput, TooLarge."""
    try:
        content = validate_content(artifact_type, content)
        encoded = canonical(content)
    except ContentError as error:
        errors = [e | {"field": _join("content", e["field"])} for e in error.errors]
        first = f"{errors[0]['field']}: {errors[0]['detail']}"
        detail = f"The content does not fit {artifact_type}: {first}"
        raise InvalidInput("invalid_content", detail, errors=errors) from error
    except (CanonicalizationError, UnicodeError, RecursionError) as error:
        raise InvalidInput.of("content", "not_storable", f"Cannot be stored: {error}.") from error
    if len(encoded) > CONTENT_MAX_BYTES:
        detail = (
            f"The content has {len(encoded):,} bytes; at most {CONTENT_MAX_BYTES:,} are stored."
        )
        raise TooLarge("content_too_large", detail, limit=CONTENT_MAX_BYTES)
    if _holds_null(content):
        raise InvalidInput.of("content", "binary", "The content holds null characters.")
    return content, hashlib.sha256(encoded).hexdigest()


def _holds_null(value: Any) -> bool:
    """PostgreSQL cannot store the null character in JSON."""
    if isinstance(value, dict):
        return any(_holds_null(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_holds_null(part) for part in value)
    return isinstance(value, str) and "\0" in value


def _join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if path else prefix


@transaction.atomic
def create_artifact(
    *,
    actor: Actor,
    project_id: UUID,
    artifact_type: str,
    title: str,
    content: Any,
    granularity: str = Granularity.DOCUMENT,
) -> Artifact:
    """A person's own artifact, accepted as it is: what is handed in is input, not a result.

    Raises InvalidInput, TooLarge, NotFound.
    """
    if not title.strip() or len(title) > 300 or "\0" in title:
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
) -> tuple[Artifact, Draft]:
    """A person's artifact with its first version; the caller holds the lock and records it."""
    content, sha256 = check_content(artifact_type, content)
    artifact = Artifact.objects.create(
        project=project,
        artifact_type=ArtifactType(artifact_type),
        granularity=Granularity(granularity),
        title=title.strip(),
        version=1,
        accepted_version=1,
        created_by=author.user,
    )
    version = ArtifactVersion.objects.create(
        artifact=artifact,
        number=1,
        content=content,
        sha256=sha256,
        status=VersionStatus.ACCEPTED,
        author=author.user,
    )
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
    version = write_version(artifact, actor=actor, content=content, comment=comment)
    if artifact.artifact_type == ArtifactType.USER_INPUT:
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
    artifact: Artifact, *, actor: Actor, content: Any, comment: str = ""
) -> ArtifactVersion:
    """The next version by a person; the caller holds the project's lock and records it."""
    content, sha256 = check_content(artifact.artifact_type, content)
    artifact.version += 1
    artifact.save(update_fields=["version", "updated_at"])
    return ArtifactVersion.objects.create(
        artifact=artifact,
        number=artifact.version,
        content=content,
        sha256=sha256,
        author=actor.user,
        comment=comment,
    )


def store_output(
    *,
    project_id: UUID,
    step: str,
    agent_type: str,
    task: UUID,
    attempt: int,
    fence: int,
    artifact_type: str,
    title: str,
    content: Any,
    provider: str,
    model: str,
    is_accepted: bool,
) -> tuple[Artifact, ArtifactVersion]:
    """An agent's output as the first or next version of its step's (or lone task's) artifact.

    The caller holds the project's lock and records it. Raises InvalidInput, TooLarge.
    """
    content, sha256 = check_content(artifact_type, content)
    artifact = _next_artifact(project_id, step, task, artifact_type, title, is_accepted)
    artifact.source_agent, artifact.task = agent_type, task
    if artifact.version == 1:
        insert_row(artifact)
    else:
        artifact.save()
    version = ArtifactVersion(
        artifact=artifact,
        number=artifact.version,
        content=content,
        sha256=sha256,
        status=VersionStatus.ACCEPTED if is_accepted else VersionStatus.DRAFT,
        source_agent=agent_type,
        task=task,
        attempt=attempt,
        fence=fence,
        provider=provider,
        model=model,
    )
    insert_row(version)
    return artifact, version


def _next_artifact(
    project_id: UUID, step: str, task: UUID, artifact_type: str, title: str, is_accepted: bool
) -> Artifact:
    """The artifact with its number raised for the next version, or a new one. Not saved."""
    artifact = _artifact_of(project_id, step, task, artifact_type)
    if artifact is None:
        artifact = Artifact(
            project_id=project_id, artifact_type=ArtifactType(artifact_type), step=step
        )
    artifact.title, artifact.version = title[:300], artifact.version + 1
    if is_accepted:
        if artifact.accepted_version:
            _supersede_accepted(artifact)
        artifact.accepted_version = artifact.version
    return artifact


def _artifact_of(project_id: UUID, step: str, task: UUID, artifact_type: str) -> Artifact | None:
    if step:
        return fetch_row(Artifact, OF_STEP, [project_id, step, artifact_type])
    return fetch_row(Artifact, OF_TASK, [project_id, task, artifact_type])


def _supersede_accepted(artifact: Artifact) -> None:
    artifact.versions.filter(status=VersionStatus.ACCEPTED).update(status=VersionStatus.SUPERSEDED)


def accept_version(artifact: Artifact, version: ArtifactVersion) -> None:
    """From now on this is what the work goes on with; the caller holds the project's lock."""
    _supersede_accepted(artifact)
    version.status = VersionStatus.ACCEPTED
    version.save(update_fields=["status"])
    artifact.accepted_version = version.number
    artifact.save(update_fields=["accepted_version", "updated_at"])


def reject_version(version: ArtifactVersion) -> None:
    """A person did not want it; the caller holds the project's lock."""
    version.status = VersionStatus.REJECTED
    version.save(update_fields=["status"])


def version_draft(artifact: Artifact, version: ArtifactVersion, actor: Actor) -> Draft:
    """The event that announces a version: ids and hashes, never contents."""
    is_first = version.number == 1
    data = {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
        "status": str(version.status),
    } | ({"provider": version.provider} if version.provider else {})
    event_type = EventType.ARTIFACT_CREATED if is_first else EventType.ARTIFACT_UPDATED
    return Draft(event_type, actor, data, task=version.task)
