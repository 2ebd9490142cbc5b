from collections.abc import Sequence
from typing import Any
from uuid import UUID

from context.enums import VersionStatus
from context.models import Artifact, ArtifactVersion
from context.services.content import check_content
from context.services.storage import Source, insert_version
from context.services.versions import supersede_accepted
from core.sql import fetch_row

OF_STEP = """
    SELECT {columns} FROM context_artifacts
    WHERE project_id = %s AND step = %s AND artifact_type = %s
"""
# Outside of a workflow the task takes the place of the step.
OF_TASK = """
    SELECT {columns} FROM context_artifacts
    WHERE project_id = %s AND step = '' AND task = %s AND artifact_type = %s
"""


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
        artifact = fetch_row(Artifact, OF_STEP, [project_id, step, artifact_type])
    else:
        artifact = fetch_row(Artifact, OF_TASK, [project_id, task, artifact_type])
    if artifact is None:
        artifact = Artifact(project_id=project_id, artifact_type=artifact_type, step=step)
    artifact.title, artifact.version = title[:300], artifact.version + 1
    artifact.source_agent, artifact.task = agent_type, task
    if is_accepted:
        if artifact.accepted_version:
            supersede_accepted(artifact)
        artifact.accepted_version = artifact.version
    if artifact.version == 1:
        artifact.save(force_insert=True)
    else:
        artifact.save()
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
