"""Which version of an artifact counts. The caller holds the project's lock."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from audit.actors import Actor
from context.enums import VersionStatus
from context.events import ARTIFACT_CREATED, ARTIFACT_UPDATED
from context.models import Artifact, ArtifactVersion
from core import sql
from projects.transaction import ProjectTransaction


def supersede_accepted(artifact: Artifact) -> None:
    artifact.versions.filter(status=VersionStatus.ACCEPTED).update(status=VersionStatus.SUPERSEDED)


def accept_version(artifact: Artifact, version: ArtifactVersion) -> None:
    """From now on this is what the work goes on with."""
    accept_versions([{"artifact": artifact.pk, "version": version.number}])
    version.status = VersionStatus.ACCEPTED
    artifact.accepted_version = version.number


def accept_versions(references: Sequence[dict[str, Any]]) -> None:
    """From now on these are what the work goes on with: `{artifact, version}` each."""
    if not references:
        return
    numbers = {reference["artifact"]: reference["version"] for reference in references}
    # A first version replaces none.
    if later := [artifact for artifact, number in numbers.items() if number > 1]:
        before = ArtifactVersion.objects.filter(artifact__in=later, status=VersionStatus.ACCEPTED)
        before.update(status=VersionStatus.SUPERSEDED)
    sql.execute(
        "accept_versions",
        artifacts=[str(artifact) for artifact in numbers],
        numbers=list(numbers.values()),
    )


def reject_versions(references: Sequence[dict[str, Any]]) -> None:
    """A person did not want these."""
    if references:
        ArtifactVersion.objects.filter(_named(references)).update(status=VersionStatus.REJECTED)


def _named(references: Sequence[dict[str, Any]]) -> Q:
    named = Q()
    for reference in references:
        named |= Q(artifact=reference["artifact"], number=reference["version"])
    return named


def record_version(
    tx: ProjectTransaction, artifact: Artifact, version: ArtifactVersion, actor: Actor | None = None
) -> None:
    """The event that announces a version: ids and hashes, never contents."""
    event_type = ARTIFACT_CREATED if version.number == 1 else ARTIFACT_UPDATED
    origin: dict[str, Any] = {}
    if version.provider:
        origin = {"provider": version.provider, "model": version.model}
    if version.imported is not None:
        # What the other installation says stays with the version.
        origin = {"imported": True, "is_verified": version.imported["is_verified"]}
    tx.record(
        event_type,
        actor=actor,
        task=version.task,
        artifact=str(artifact.pk),
        artifact_type=artifact.artifact_type,
        title=artifact.title,
        version=version.number,
        sha256=version.sha256,
        status=str(version.status),
        **origin,
    )
