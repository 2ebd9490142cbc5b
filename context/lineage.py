"""Where a version came from and what came of it, in the words of W3C PROV."""

from dataclasses import dataclass
from typing import Any

from context.models import ArtifactVersion, Derivation

DEPTH_MAX = 20
VERSIONS_MAX = 500


@dataclass(frozen=True)
class Lineage:
    """`versions` by id, `root` first; `depths`: steps away from it, sources negative.

    `is_complete`: nothing further lies beyond the depth or the limit of versions.
    """

    root: ArtifactVersion
    versions: dict[int, ArtifactVersion]
    depths: dict[int, int]
    derivations: list[Derivation]
    is_complete: bool


def lineage_of(version: ArtifactVersion, *, direction: str = "both", depth: int = 5) -> Lineage:
    """`direction`: `sources`, `results` or `both`; at most VERSIONS_MAX versions."""
    depths = {version.pk: 0}
    is_complete = True
    if direction != "results":
        is_complete &= _walk(version.pk, depth, depths, "derived", "source", sign=-1)
    if direction != "sources":
        is_complete &= _walk(version.pk, depth, depths, "source", "derived", sign=1)
    rows = ArtifactVersion.objects.filter(pk__in=depths).select_related("artifact", "author")
    versions = {row.pk: row for row in rows.defer("inline_content")}
    derivations = Derivation.objects.filter(derived__in=depths, source__in=depths)
    return Lineage(
        version,
        {pk: versions[pk] for pk in sorted(versions, key=lambda pk: (abs(depths[pk]), pk))},
        depths,
        list(derivations.order_by("derived", "source")),
        is_complete,
    )


def _walk(
    start: int, depth: int, depths: dict[int, int], from_end: str, to_end: str, *, sign: int
) -> bool:
    """Add the depth of each version within reach; returns whether those were all."""
    frontier, seen = {start}, {start}
    for distance in range(1, depth + 2):
        edges = Derivation.objects.filter(**{f"{from_end}__in": frontier})
        ids = edges.order_by(f"-{to_end}").values_list(f"{to_end}_id", flat=True).distinct()
        frontier = set(ids[: VERSIONS_MAX + 1]) - seen
        if not frontier:
            return True
        if distance > depth or len(depths) + len(frontier) > VERSIONS_MAX:
            return False
        seen |= frontier
        for pk in frontier:
            depths.setdefault(pk, sign * distance)
    return False


def as_prov(lineage: Lineage) -> dict[str, Any]:
    """Entities are versions, activities are attempts and decisions, agents are who acted."""
    versions = lineage.versions
    used: dict[str, set[str]] = {}
    for derivation in lineage.derivations:
        name = activity_name(versions[derivation.derived_id])
        used.setdefault(name, set()).add(entity_name(versions[derivation.source_id]))
    activities = {}
    for version in versions.values():
        if name := activity_name(version):
            activities[name] = {
                "id": name,
                "task": version.task,
                "attempt": version.attempt,
                "decision": version.decision,
                "agent": maker_name(version),
                "provider": version.provider,
                "model": version.model,
                "imported": version.claims,
                "prompt_sha256": version.prompt_sha256,
                "used": sorted(used.get(name, ())),
            }
    return {
        "artifact": str(lineage.root.artifact_id),
        "version": lineage.root.number,
        "is_complete": lineage.is_complete,
        "entities": [_entity(version, lineage.depths[pk]) for pk, version in versions.items()],
        "activities": list(activities.values()),
        "was_derived_from": [
            {
                "derived": entity_name(versions[derivation.derived_id]),
                "source": entity_name(versions[derivation.source_id]),
                "kind": derivation.kind,
            }
            for derivation in lineage.derivations
        ],
    }


def entity_name(version: ArtifactVersion) -> str:
    return f"artifact:{version.artifact_id}/versions/{version.number}"


def activity_name(version: ArtifactVersion) -> str:
    """An attempt of a task, a decision, or the import of what an agent wrote elsewhere.

    Empty for what a person handed in.
    """
    if version.task:
        return f"task:{version.task}/attempts/{version.attempt}"
    if version.decision:
        return f"decision:{version.decision}"
    is_imported = version.claims is not None
    return f"import:{version.artifact_id}/versions/{version.number}" if is_imported else ""


def maker_name(version: ArtifactVersion) -> str:
    """Of what was imported, who has made it by the word of the other installation."""
    if claims := version.claims:
        return f"import:{claims['made_by']}"
    return f"user:{version.author_id}" if version.is_by_person else f"agent:{version.source_agent}"


def _entity(version: ArtifactVersion, depth: int) -> dict[str, Any]:
    artifact = version.artifact
    return {
        "id": entity_name(version),
        "artifact": str(artifact.pk),
        "version": version.number,
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "step": artifact.step,
        "status": version.status,
        "sha256": version.sha256,
        "depth": depth,
        "was_generated_by": activity_name(version) or None,
        "was_attributed_to": maker_name(version),
        "created_at": version.created_at,
    }
