"""From what a step wants to what there is: documents, sections and concepts of named versions."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from context.assembly.pieces import Candidate, Piece, Want, shortened, summary_of
from context.enums import Form, Need, VersionStatus
from context.models import ArtifactVersion, Concept, Section
from context.parts import find_concepts
from context.search.query_parser import without_loose_dashes

Versions = dict[tuple[str, int], ArtifactVersion]
# What a path has behind it from the second piece, or the second section of a name, on.
_PIECE = re.compile(r"~\d+\Z")
# Of the same rank the earlier part comes first, so that the same versions give the same answer.
# OFFSET 0, or the planner may begin with all texts of the store that have the words.
BEST = """
    SELECT part.id FROM context_sections AS part
    CROSS JOIN LATERAL (
        SELECT search FROM context_bodies WHERE context_bodies.id = part.body_id OFFSET 0
    ) AS body
    CROSS JOIN websearch_to_tsquery('english', %s) AS words
    WHERE part.version_id = ANY(%s) AND part.kind <> 'outline' AND body.search @@ words
    ORDER BY ts_rank_cd(body.search, words, 32) DESC, part.version_id, part.position LIMIT %s
"""


def load_versions(wants: list[Want]) -> Versions:
    ids = {artifact for want in wants for artifact, _ in want.sources}
    numbers = {number for want in wants for _, number in want.sources}
    # The version itself or one before it, by a person, that nobody turned down: an agent's version
    # on top of a person's keeps what the person wrote; so does the one after.
    by_a_person = ArtifactVersion.objects.filter(
        artifact=OuterRef("artifact"), number__lte=OuterRef("number"), source_agent=""
    ).exclude(status=VersionStatus.REJECTED)
    rows = ArtifactVersion.objects.filter(artifact__in=ids, number__in=numbers)
    rows = rows.annotate(was_changed_by_person=Exists(by_a_person))
    return {(str(row.artifact_id), row.number): row for row in rows.select_related("artifact")}


def check_pinned(version: ArtifactVersion, pinned: Mapping[str, str]) -> None:
    """Raises ContentChanged where the version's digest is not the one of a handoff's `sha256`."""
    expected = pinned.get(f"{version.artifact_id}/{version.number}", version.sha256)
    if version.sha256 != expected:
        raise version.changed("digest", version.sha256, expected)


def expand(want: Want, versions: Versions) -> list[Candidate]:
    """In the order of the sources, and of the parts in them; a query's best first."""
    sources = [versions[source] for source in want.sources]
    if want.query:
        with connection.cursor() as cursor:
            cursor.execute(
                BEST,
                [without_loose_dashes(want.query), [version.pk for version in sources], want.limit],
            )
            ids = [row[0] for row in cursor.fetchall()]
        sections = Section.objects.select_related("body", "version__artifact").in_bulk(ids)
        return list(_parts(want, [sections[pk] for pk in ids]))
    if want.section:
        return list(_parts(want, _matching(Section, "path", want.section, sources)))
    if want.concept:
        return list(_parts(want, _matching(Concept, "identifier", want.concept, sources)))
    candidates = []
    for version in sources:
        content = version.content
        text = summary = json.dumps(content, ensure_ascii=False, indent=1)
        if want.need != Need.MUST:
            paths = version.sections.order_by("position").values_list("path", flat=True)
            summary = summary_of(content, list(paths))
        candidates.append(_candidate(want, version, "", text, summary, content))
    return candidates


def _matching(model: Any, name: str, pattern: str, versions: list[ArtifactVersion]) -> list[Any]:
    order = {version.pk: place for place, version in enumerate(versions)}
    parts = model.objects.filter(version__in=versions).select_related("body", "version__artifact")
    # A long section stands in pieces; whoever names it means all of them.
    matching = [
        part
        for part in parts
        if fnmatchcase(getattr(part, name), pattern)
        or fnmatchcase(_PIECE.sub("", getattr(part, name)), pattern)
    ]
    return sorted(matching, key=lambda part: (order[part.version_id], part.position))


def _parts(want: Want, parts: list[Any]) -> Iterator[Candidate]:
    """Each text has the digest of its body, and is what the version's own content says."""
    concepts: dict[int, dict[str, str]] = {}
    for part in parts:
        version, text = part.version, part.text
        if version.pk not in concepts:
            version.check_sections()
            found = find_concepts(version.artifact.artifact_type, version.content)
            concepts[version.pk] = {concept.identifier: concept.text for concept in found}
        if isinstance(part, Concept) and concepts[version.pk].get(part.name, text) != text:
            raise version.changed("part", part.body.sha256, part=part.name)
        yield _candidate(want, version, part.name, text, shortened(text))


def _candidate(
    want: Want,
    version: ArtifactVersion,
    part: str,
    text: str,
    summary: str,
    content: dict[str, Any] | None = None,
) -> Candidate:
    artifact = version.artifact

    def piece(form: Form, words: str, whole: dict[str, Any] | None = None) -> Piece:
        return Piece(
            want.need,
            want.label,
            str(artifact.pk),
            version.number,
            artifact.artifact_type,
            artifact.title,
            part,
            form,
            words,
            whole,
            version,
        )

    forms = [piece(Form.FULL, text, content)]
    if len(summary) < len(text):
        forms.append(piece(Form.SUMMARY, summary))
    return Candidate((*forms, piece(Form.TITLE, "")))
