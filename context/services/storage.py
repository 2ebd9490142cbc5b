"""A version's rows: its content, sections, concepts and sources, and the texts that are new."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from context.enums import DerivationKind
from context.models import Artifact, ArtifactVersion
from context.parts import (
    ConceptPart,
    SectionPart,
    estimate_tokens,
    find_concepts,
    split_content,
)
from context.services.content import Checked
from core import sql

# Smaller contents are also kept whole, so that the work reads them without a join. Of larger ones
# there are only the parts, so that a small edit stores little.
INLINE_MAX_BYTES = 32 * 1024


@dataclass(frozen=True)
class Source:
    """A version that another one is made from."""

    artifact: UUID | str
    version: int
    kind: DerivationKind = DerivationKind.USED


def insert_version(
    version: ArtifactVersion,
    checked: Checked,
    artifact: Artifact,
    sources: Sequence[Source] = (),
) -> None:
    """Insert the version with its parts and origin; the caller holds the project's lock."""
    version.content, version.sha256 = checked.content, checked.sha256
    fits = checked.size_bytes <= INLINE_MAX_BYTES
    version.inline_content = checked.content if fits else None
    version.pk = _store(
        "store_version",
        version,
        artifact,
        sources,
        artifact=artifact.pk,
        number=version.number,
        content=json.dumps(checked.content) if fits else None,
        sha256=version.sha256,
        status=str(version.status),
        source_agent=version.source_agent,
        author=version.author_id,
        task=version.task,
        attempt=version.attempt,
        fence=version.fence,
        provider=version.provider,
        model=version.model,
        prompt_sha256=version.prompt_sha256,
        decision=version.decision,
        comment=version.comment,
        imported=None if version.imported is None else json.dumps(version.imported),
    )
    sql.mark_saved(version)


def store_parts(version: ArtifactVersion, artifact: Artifact) -> None:
    """Sections and concepts of a version that has none yet."""
    _store("store_parts", version, artifact, (), version=version.pk)


def _store(
    statement: str,
    version: ArtifactVersion,
    artifact: Artifact,
    sources: Sequence[Source],
    /,
    **parameters: Any,
) -> int:
    """All in one statement: a version's parts cost one round trip. Returns the version's id."""
    sections = split_content(artifact.artifact_type, version.content, artifact.granularity)
    concepts = find_concepts(artifact.artifact_type, version.content)
    hashes = {text: hash_of(text) for text in dict.fromkeys(_texts(sections, concepts))}
    version_id, *stored = sql.fetch_one(
        statement,
        project=artifact.project_id,
        text_sha256=list(hashes.values()),
        texts=list(hashes),
        tokens=[estimate_tokens(text) for text in hashes],
        section_pointers=[section.pointer for section in sections],
        section_paths=[section.path for section in sections],
        section_titles=[section.title for section in sections],
        section_kinds=[str(section.kind) for section in sections],
        section_sha256=[hashes[section.text] for section in sections],
        concept_kinds=[str(concept.kind) for concept in concepts],
        concept_identifiers=[concept.identifier for concept in concepts],
        concept_titles=[concept.title for concept in concepts],
        concept_sha256=[hashes[concept.text] for concept in concepts],
        source_artifacts=[str(source.artifact) for source in sources],
        source_numbers=[source.version for source in sources],
        source_kinds=[str(source.kind) for source in sources],
        **parameters,
    )
    if stored != [len(sections), len(concepts)]:
        raise IntegrityError(f"Of version {version_id} only {stored} parts were stored.")
    return version_id


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(sections: list[SectionPart], concepts: list[ConceptPart]) -> Iterable[str]:
    yield from (section.text for section in sections)
    yield from (concept.text for concept in concepts)
