"""Hits of a search as a page shows them. Texts are escaped; only our own marks are HTML."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from context.models import Artifact, Concept, Section
from context.search.queries import Hit
from core.text import escaped

# Two private-use characters stand for the marks; they are removed from texts before.
START, STOP = "\ue000", "\ue001"
OPTIONS = (
    f"StartSel={START}, StopSel={STOP}, MaxFragments=2, MinWords=12, MaxWords=35,"
    ' FragmentDelimiter=" … "'
)
# Of a text that was changed past the product nothing is shown.
HEADLINE = """
    SELECT id, ts_headline('english', translate(text, %s, ''), %s::tsquery, %s)
    FROM context_bodies
    WHERE id = ANY(%s) AND sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')
"""
MODELS = {"section": Section, "concept": Concept}


@dataclass(frozen=True)
class PresentedHit:
    """A hit with what a page needs. `excerpt` is (text, whether it is what was searched)."""

    kind: str
    artifact: Artifact
    version: int
    title: str
    path: str
    identifier: str
    score: float
    excerpt: list[tuple[str, bool]]

    @property
    def html(self) -> SafeString:
        segments = (
            format_html("<mark>{}</mark>" if is_match else "{}", text)
            for text, is_match in self.excerpt
        )
        return format_html_join("", "{}", ((segment,) for segment in segments))


def present_hits(hits: Sequence[Hit], words: str) -> list[PresentedHit]:
    """The hits of one page, in their order."""
    ids = {kind: [hit.pk for hit in hits if (hit.through or hit.kind) == kind] for kind in MODELS}
    parts = {
        kind: model.objects.select_related("version").in_bulk(ids[kind])
        for kind, model in MODELS.items()
    }
    artifacts = Artifact.objects.select_related("project").in_bulk({hit.artifact for hit in hits})
    bodies = {part.body_id for by_id in parts.values() for part in by_id.values()}
    with connection.cursor() as cursor:
        cursor.execute(HEADLINE, [START + STOP, words, OPTIONS, list(bodies)])
        excerpts = {pk: list(_segments(text)) for pk, text in cursor.fetchall()}
    presented = []
    for hit in hits:
        part, artifact = parts[hit.through or hit.kind][hit.pk], artifacts[hit.artifact]
        presented.append(
            PresentedHit(
                kind=hit.kind,
                artifact=artifact,
                version=part.version.number,
                title=artifact.title if hit.kind == "document" else part.title,
                path=getattr(part, "path", ""),
                identifier=getattr(part, "identifier", ""),
                score=round(hit.score, 4),
                excerpt=excerpts.get(part.body_id, []),
            )
        )
    return presented


def _segments(text: str) -> Iterable[tuple[str, bool]]:
    for number, piece in enumerate(text.split(START)):
        match, stop, rest = piece.partition(STOP)
        if number and stop:
            yield escaped(match), True
            piece = rest
        if piece:
            yield escaped(piece), False
