"""Search by words, by meaning, or by both; only over what the caller may see."""

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from agents.models import Task
from agents.protocols import WorkError
from agents.stops.queries import is_everything_stopped
from context.models import Artifact
from context.search import Hit, Matches, Scope, find, hits_of_texts, scope_of
from core.errors import Unavailable
from semantic.storage import literal

# So many of the newest texts are compared, each with the query: exact, and bounded.
COMPARED = 20_000
NEAREST = 200
# A person waits for it.
SECONDS = 5.0
# Reciprocal rank fusion: how much a first place counts more than a later one.
RANK_OFFSET = 60
NEAREST_TEXTS = """
    WITH newest AS (
        SELECT body_id, embedding FROM context_embeddings
        WHERE model = %(model)s AND {scope} ORDER BY body_id DESC LIMIT %(compared)s
    )
    SELECT body_id, 1 - (embedding <=> %(vector)s::halfvec) AS score FROM newest
    WHERE vector_dims(embedding) = %(dimensions)s
    ORDER BY embedding <=> %(vector)s::halfvec, body_id DESC LIMIT %(nearest)s
"""
BEYOND = """
    SELECT EXISTS (
        SELECT 1 FROM context_embeddings WHERE model = %(model)s AND {scope} OFFSET %(compared)s
    )
"""


def search_as(
    user: Any, *, q: str, project: Any = None, mode: str = "words", **filters: Any
) -> Matches:
    """What the person may see. `mode`: words, semantic or hybrid. Raises Unavailable."""
    granularity, phase = filters.pop("granularity", ""), filters.pop("phase", None)
    artifacts = Artifact.objects.filter(**filters) if filters or phase else None
    if phase:
        artifacts = artifacts.filter(task__in=Task.objects.filter(phase=phase).values("pk"))
    search = {"words": find, "semantic": find_by_meaning, "hybrid": find_by_both}[mode]
    return search(q, scope_of(user, project), granularity=granularity, artifacts=artifacts)


def find_by_meaning(
    text: str, scope: Scope, *, granularity: str = "", artifacts: QuerySet | None = None
) -> Matches:
    """The nearest first. Raises Unavailable."""
    from agents.providers.embedding import embed

    if not text.strip() or scope.projects == ():
        return Matches([], "", True)
    if is_everything_stopped():
        detail = "While everything is stopped no model is called. Search with mode=words instead."
        raise Unavailable("emergency_stop", detail)
    try:
        vector = embed([text], kind="query", seconds=SECONDS)[0]
    except WorkError as error:
        detail = f"The text could not be embedded: {error.detail} Search with mode=words instead."
        raise Unavailable("embedding_unavailable", detail) from None
    condition = "TRUE" if scope.projects is None else "project_id = ANY(%(projects)s::uuid[])"
    values = {
        "model": settings.EMBEDDING_MODEL,
        "vector": literal(vector),
        "dimensions": len(vector),
        "projects": scope.parameter,
        "compared": COMPARED,
        "nearest": NEAREST,
    }
    with connection.cursor() as cursor:
        cursor.execute(NEAREST_TEXTS.format(scope=condition), values)
        scores = dict(cursor.fetchall())
        cursor.execute(BEYOND.format(scope=condition), values)
        (is_cut,) = cursor.fetchone()
    hits = hits_of_texts(scores, granularity=granularity, artifacts=artifacts)
    return Matches(hits, "", not is_cut)


def find_by_both(text: str, scope: Scope, **filters: Any) -> Matches:
    """Best by words or by meaning first; exact ids before all. Raises Unavailable."""
    by_words = find(text, scope, **filters)
    by_meaning = find_by_meaning(text, scope, **filters)
    scores: dict[tuple[str, Any], float] = {}
    hits: dict[tuple[str, Any], Hit] = {}
    for ranking in (by_words.hits, by_meaning.hits):
        for rank, hit in enumerate(ranking, start=1):
            key = (hit.kind, hit.artifact if hit.kind == "document" else hit.pk)
            hits.setdefault(key, hit)
            scores[key] = scores.get(key, 0) + 1 / (RANK_OFFSET + rank)
    keys = sorted(hits, key=lambda key: (not hits[key].is_exact, -scores[key]))
    fused = [hits[key].scored(scores[key]) for key in keys]
    return Matches(fused, by_words.words, by_words.is_complete and by_meaning.is_complete)
