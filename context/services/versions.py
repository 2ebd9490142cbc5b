from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft
from context.enums import VersionStatus
from context.models import Artifact, ArtifactVersion


def supersede_accepted(artifact: Artifact) -> None:
    artifact.versions.filter(status=VersionStatus.ACCEPTED).update(status=VersionStatus.SUPERSEDED)


def accept_version(artifact: Artifact, version: ArtifactVersion) -> None:
    """From now on this is what the work goes on with; the caller holds the project's lock."""
    supersede_accepted(artifact)
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
