"""A version's rows: its content, sections, concepts and sources, and the texts that are new."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection

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

# Smaller contents are also kept whole, so that the work reads them without a join. Of larger ones
# there are only the parts, so that a small edit stores little.
INLINE_MAX_BYTES = 32 * 1024

# All in one statement: a version's parts cost one round trip. The project's lock is held, so no
# one else adds a text in between; the counts prove that every part has found its text.
STORE_PARTS = """
    WITH texts AS (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::int[]) AS new (sha256, text, tokens)
    ), added AS (
        INSERT INTO context_bodies (project_id, sha256, text, tokens)
        SELECT %s, sha256, text, tokens FROM texts
        ON CONFLICT (project_id, sha256) DO NOTHING
        RETURNING id, sha256
    ), bodies AS (
        SELECT id, sha256 FROM added
        UNION ALL
        SELECT id, sha256 FROM context_bodies JOIN texts USING (sha256) WHERE project_id = %s
    ), sections AS (
        INSERT INTO context_sections
            (project_id, version_id, position, pointer, path, title, kind, body_id)
        SELECT %s, %s, number - 1, pointer, path, title, kind, id
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
            WITH ORDINALITY AS new (pointer, path, title, kind, sha256, number)
        JOIN bodies USING (sha256)
        RETURNING 1
    ), concepts AS (
        INSERT INTO context_concepts
            (project_id, version_id, position, kind, identifier, title, body_id)
        SELECT %s, %s, number - 1, kind, identifier, title, id
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
            WITH ORDINALITY AS new (kind, identifier, title, sha256, number)
        JOIN bodies USING (sha256)
        RETURNING 1
    ), derivations AS (
        INSERT INTO context_derivations (derived_id, source_id, kind)
        SELECT %s, version.id, new.kind
        FROM unnest(%s::uuid[], %s::int[], %s::text[]) AS new (artifact_id, number, kind)
        JOIN context_artifact_versions version USING (artifact_id, number)
        JOIN context_artifacts artifact
            ON artifact.id = version.artifact_id AND artifact.project_id = %s
        ON CONFLICT (derived_id, source_id) DO NOTHING
    )
    SELECT (SELECT count(*) FROM sections), (SELECT count(*) FROM concepts)
"""


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
    version.save(force_insert=True)
    store_parts(version, artifact, sources)


def store_parts(
    version: ArtifactVersion, artifact: Artifact, sources: Sequence[Source] = ()
) -> None:
    """Sections and concepts of a version that has none yet, and what it was made from."""
    sections = split_content(artifact.artifact_type, version.content, artifact.granularity)
    concepts = find_concepts(artifact.artifact_type, version.content)
    hashes = {text: hash_of(text) for text in dict.fromkeys(_texts(sections, concepts))}
    parameters = [
        *_columns((sha256, text, estimate_tokens(text)) for text, sha256 in hashes.items()),
        artifact.project_id,
        artifact.project_id,
        artifact.project_id,
        version.pk,
        *_columns((s.pointer, s.path, s.title, s.kind, hashes[s.text]) for s in sections),
        artifact.project_id,
        version.pk,
        *(_columns((c.kind, c.identifier, c.title, hashes[c.text]) for c in concepts) or [[]] * 4),
        version.pk,
        *(_columns((s.artifact, s.version, s.kind) for s in sources) or [[]] * 3),
        artifact.project_id,
    ]
    with connection.cursor() as cursor:
        cursor.execute(STORE_PARTS, parameters)
        stored = cursor.fetchone()
    if stored != (len(sections), len(concepts)):
        raise IntegrityError(f"Of version {version.pk} only {stored} parts were stored.")


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(sections: list[SectionPart], concepts: list[ConceptPart]) -> Iterable[str]:
    yield from (section.text for section in sections)
    yield from (concept.text for concept in concepts)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[str(v) if isinstance(v, str) else v for v in c] for c in zip(*rows, strict=True)]
