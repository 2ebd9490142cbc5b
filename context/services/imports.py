"""Artifacts from another installation, each with one version."""

from typing import Any

from context.enums import Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import Checked
from context.services.storage import insert_version
from context.services.versions import record_version
from context.types.user_input import USER_INPUT
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
    step: str,
    claims: dict[str, Any],
) -> None:
    """Store the content as it came; the caller has checked it and its hash.

    Who made and approved it elsewhere is what the archive claims (`claims`), and no fact here: the
    importer hands input in, and everything else is a draft that nobody here has approved.
    `source_agent` is empty for what a person wrote, who has no account here.
    """
    is_input = artifact_type == USER_INPUT
    if not is_input and status == VersionStatus.ACCEPTED:
        status = VersionStatus.DRAFT
    artifact = Artifact.objects.create(
        project=tx.project,
        artifact_type=artifact_type,
        granularity=Granularity(granularity),
        title=title,
        step=step,
        version=1,
        accepted_version=1 if status == VersionStatus.ACCEPTED else None,
        created_by=tx.actor.user,
    )
    version = ArtifactVersion(
        artifact=artifact,
        number=1,
        status=VersionStatus(status),
        source_agent=source_agent,
        author=None if source_agent else tx.actor.user,
        comment=f"Imported; version {claims['version']} where it comes from.",
        imported=claims,
    )
    insert_version(version, checked, artifact)
    record_version(tx, artifact, version)
