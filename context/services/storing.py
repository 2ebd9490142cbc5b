"""A version's rows: its content, its sections and concepts, and the texts that are new."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from api.rows import insert_row, prepared_cursor
from context.models import ArtifactVersion
from context.parts import (
    ConceptPart,
    SectionPart,
    estimate_tokens,
    find_concepts,
    split_content,
)
from context.services.checking import Checked

# Smaller contents are also kept whole, so that the work reads them without a join. Of larger ones
# there are only the parts, so that a small edit stores little.
INLINE_MAX_BYTES = 32 * 1024

# All in one statement: a version's parts cost one round trip. The project's lock is held, so no
# one else adds a text in between; the counts prove that every part has found its text.
STORE_PARTS = """
    WITH texts AS (
        SELECT * FROM unnest(%s::text[], %s::text[], %s::int[]) AS given (sha256, text, tokens)
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
            WITH ORDINALITY AS given (pointer, path, title, kind, sha256, number)
        JOIN bodies USING (sha256)
        RETURNING 1
    ), concepts AS (
        INSERT INTO context_concepts
            (project_id, version_id, position, kind, identifier, title, body_id)
        SELECT %s, %s, number - 1, kind, identifier, title, id
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
            WITH ORDINALITY AS given (kind, identifier, title, sha256, number)
        JOIN bodies USING (sha256)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM sections), (SELECT count(*) FROM concepts)
"""


def insert_version(
    version: ArtifactVersion, checked: Checked, project_id: UUID, artifact_type: str
) -> None:
    """Insert the version with its parts; the caller holds the project's lock."""
    version.content, version.sha256 = checked.content, checked.sha256
    fits = checked.size_bytes <= INLINE_MAX_BYTES
    version.inline_content = checked.content if fits else None
    insert_row(version)
    store_parts(version.pk, project_id, artifact_type, checked.content)


def store_parts(
    version_id: int, project_id: UUID, artifact_type: str, content: dict[str, Any]
) -> None:
    """Sections and concepts of a version that has none yet."""
    sections = split_content(artifact_type, content)
    concepts = find_concepts(artifact_type, content)
    hashes = {text: hash_of(text) for text in dict.fromkeys(_texts(sections, concepts))}
    parameters = [
        *_columns((sha256, text, estimate_tokens(text)) for text, sha256 in hashes.items()),
        project_id,
        project_id,
        project_id,
        version_id,
        *_columns((s.pointer, s.path, s.title, s.kind, hashes[s.text]) for s in sections),
        project_id,
        version_id,
        *(_columns((c.kind, c.identifier, c.title, hashes[c.text]) for c in concepts) or [[]] * 4),
    ]
    with prepared_cursor() as cursor:
        cursor.execute(STORE_PARTS, parameters)
        stored = cursor.fetchone()
    if stored != (len(sections), len(concepts)):
        raise IntegrityError(f"Of version {version_id} only {stored} parts were stored.")


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(sections: list[SectionPart], concepts: list[ConceptPart]) -> Iterable[str]:
    yield from (section.text for section in sections)
    yield from (concept.text for concept in concepts)


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[str(v) if isinstance(v, str) else v for v in c] for c in zip(*rows, strict=True)]
