"""Artifacts from another installation, each with one version."""

from context.enums import Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import Checked
from context.services.storage import insert_version
from context.services.versions import record_version
from projects.transaction import ProjectTransaction


def store_imported(
    tx: ProjectTransaction,
    *,
    artifact_type: str,
    title: str,
    checked: Checked,
    status: str,
    granularity: str,
    source_agent: str,
    is_by_person: bool,
    step: str,
    provider: str,
    model: str,
    origin_version: str,
) -> None:
    """Store it as it came; the caller has checked content and hash.

    The importer is the author of what a person wrote elsewhere, who has no account here.
    """
    artifact = Artifact.objects.create(
        project=tx.project,
        artifact_type=artifact_type,
        granularity=Granularity(granularity),
        title=title,
        source_agent=source_agent,
        step=step,
        version=1,
        accepted_version=1 if status == VersionStatus.ACCEPTED else None,
        created_by=tx.actor.user,
    )
    version = ArtifactVersion(
        artifact=artifact,
        number=1,
        status=VersionStatus(status),
        source_agent="" if is_by_person else source_agent,
        author=tx.actor.user if is_by_person else None,
        provider=provider,
        model=model,
        comment=f"Imported; version {origin_version} where it comes from.",
    )
    insert_version(version, checked, artifact)
    record_version(tx, artifact, version)
