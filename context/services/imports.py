"""An artifact that comes from another installation, with its one version."""

from audit.actors import Actor
from audit.services import Draft
from context.enums import Granularity, VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import Checked
from context.services.storage import insert_version
from context.services.versions import version_draft
from projects.models import Project


def store_imported(
    *,
    project: Project,
    importer: Actor,
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
) -> Draft:
    """The event to record; the caller holds the lock, and has checked content and hash.

    What a person wrote elsewhere is the importer's here: nobody else can be named for it.
    """
    artifact = Artifact.objects.create(
        project=project,
        artifact_type=artifact_type,
        granularity=Granularity(granularity),
        title=title,
        source_agent=source_agent,
        step=step,
        version=1,
        accepted_version=1 if status == VersionStatus.ACCEPTED else None,
        created_by=importer.user,
    )
    version = ArtifactVersion(
        artifact=artifact,
        number=1,
        status=VersionStatus(status),
        source_agent="" if is_by_person else source_agent,
        author=importer.user if is_by_person else None,
        provider=provider,
        model=model,
        comment=f"Imported; version {origin_version} where it comes from.",
    )
    insert_version(version, checked, artifact)
    return version_draft(artifact, version, importer)
