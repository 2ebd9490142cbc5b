"""What was made from something that has a newer accepted version by now."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from context.models import Artifact

# From the version that counts (accepted, else the last) up to all that it was made from. What a
# person rewrote carries on what the version before was made from; what an agent revised does not.
# Where a source has a newer accepted version, that is the reason, and the way ends.
OUTDATED = """
    WITH RECURSIVE reached AS (
        SELECT artifact.id AS root, version.id AS version_id
        FROM context_artifacts artifact
        JOIN context_artifact_versions version ON version.artifact_id = artifact.id
            AND version.number = coalesce(artifact.accepted_version, artifact.version)
        WHERE artifact.id = ANY(%s)
        UNION
        SELECT root, derivation.source_id
        FROM reached
        JOIN context_artifact_versions derived ON derived.id = reached.version_id
        JOIN context_derivations derivation ON derivation.derived_id = derived.id
        JOIN context_artifact_versions source ON source.id = derivation.source_id
        JOIN context_artifacts origin ON origin.id = source.artifact_id
        WHERE CASE derivation.kind
            WHEN 'used' THEN coalesce(origin.accepted_version, 0) <= source.number
            ELSE derived.source_agent = '' END
    )
    SELECT root, origin.id, origin.title, source.number, origin.accepted_version, holder.step
    FROM reached
    JOIN context_artifact_versions derived ON derived.id = reached.version_id
    JOIN context_artifacts holder ON holder.id = derived.artifact_id
    JOIN context_derivations derivation ON derivation.derived_id = derived.id
        AND derivation.kind = 'used'
    JOIN context_artifact_versions source ON source.id = derivation.source_id
    JOIN context_artifacts origin ON origin.id = source.artifact_id
        AND origin.accepted_version > source.number
    ORDER BY derived.id, source.id
"""


@dataclass
class Staleness:
    """`because` names what is newer; `refresh_step` is the step to rewind to, or empty.

    That is the first step that worked with something old: what follows from it runs again, too.
    """

    because: list[dict[str, Any]] = field(default_factory=list)
    refresh_step: str = ""

    @property
    def stale(self) -> bool:
        return bool(self.because)


def staleness_of(artifact_ids: Iterable[UUID]) -> dict[UUID, Staleness]:
    """For each artifact that is stale, why; one query for all."""
    stale: dict[UUID, Staleness] = {}
    with connection.cursor() as cursor:
        cursor.execute(OUTDATED, [list(artifact_ids)])
        for root, artifact, title, used, newer, step in cursor:
            staleness = stale.setdefault(root, Staleness())
            reason = {"artifact": artifact, "title": title, "used": used, "accepted": newer}
            if reason not in staleness.because:
                staleness.because.append(reason)
            staleness.refresh_step = staleness.refresh_step or step
    return stale


def with_staleness(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """The same artifacts, each with its `staleness`."""
    artifacts = list(artifacts)
    stale = staleness_of(artifact.pk for artifact in artifacts)
    for artifact in artifacts:
        artifact.staleness = stale.get(artifact.pk, Staleness())
    return artifacts


def stale_steps(project_id: UUID) -> set[str]:
    """The steps whose artifacts are stale."""
    steps = Artifact.objects.filter(project=project_id).exclude(step="").values_list("pk", "step")
    of_step = dict(steps)
    return {of_step[artifact] for artifact in staleness_of(of_step)}
