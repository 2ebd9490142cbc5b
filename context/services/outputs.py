from collections.abc import Sequence
from typing import Any
from uuid import UUID

from context.enums import VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import check_content
from context.services.storage import Source, insert_version
from context.services.versions import supersede_accepted
from core import sql
from core.ids import new_id


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
    prompt_sha256: str = "",
    sources: Sequence[Source] = (),
) -> tuple[Artifact, ArtifactVersion]:
    """An agent's output as the first or next version of its step's (or lone task's) artifact.

    `sources` are the versions that the agent had at hand. The caller holds the project's lock and
    records it. Raises InvalidInput, TooLarge.
    """
    checked = check_content(artifact_type, content)
    if step:
        (artifact,) = sql.fetch_one(
            "next_artifact_version",
            id=new_id(),
            project=project_id,
            artifact_type=artifact_type,
            title=title[:300],
            source_agent=agent_type,
            step=step,
            task=task,
            is_accepted=is_accepted,
        )
    else:
        # Outside of a workflow the task takes the place of the step.
        artifact = Artifact.objects.filter(
            project=project_id, step="", task=task, artifact_type=artifact_type
        ).first() or Artifact(project_id=project_id, artifact_type=artifact_type, task=task)
        artifact.title, artifact.version = title[:300], artifact.version + 1
        artifact.source_agent = agent_type
        if is_accepted:
            artifact.accepted_version = artifact.version
        artifact.save()
    if is_accepted and artifact.version > 1:
        supersede_accepted(artifact)
    version = ArtifactVersion(
        artifact=artifact,
        number=artifact.version,
        status=VersionStatus.ACCEPTED if is_accepted else VersionStatus.DRAFT,
        source_agent=agent_type,
        task=task,
        attempt=attempt,
        fence=fence,
        provider=provider,
        model=model,
        prompt_sha256=prompt_sha256,
    )
    insert_version(version, checked, artifact, sources)
    return artifact, version
