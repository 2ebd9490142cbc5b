"""The search itself: exact ids first, then words by rank, then what is spelled alike."""

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from context.search.scope import Scope

# Only so many of the newest texts with the words are ranked, so that a word that is everywhere
# costs no more than a rare one.
CANDIDATES = 3_000
HITS = 500
# With fewer hits by word, names that are spelled alike are looked for.
FEW = 10
ALIKE = 0.5
EXACT_SCORE = 2.0

CURRENT = """
    JOIN context_artifact_versions ON context_artifact_versions.id = part.version_id
    JOIN context_artifacts ON context_artifacts.id = context_artifact_versions.artifact_id
        AND context_artifact_versions.number =
            coalesce(context_artifacts.accepted_version, context_artifacts.version)
"""
# Within projects the order is `id + 0`: walking the primary key backwards until enough is found
# would read the whole store. Over everything just that walk is the short way to a common word.
CANDIDATE_BODIES = """
    SELECT id, search FROM context_bodies
    WHERE numnode(%(words)s::tsquery) > 0 AND search @@ %(scoped)s::tsquery
        AND (%(projects)s::uuid[] IS NULL OR project_id = ANY(%(projects)s))
    ORDER BY {order} DESC LIMIT %(candidates)s
"""
PARTS_OF_BODIES = """
    SELECT '{kind}' AS kind, part.id, context_artifacts.id AS artifact, rank AS score
    FROM ranked JOIN {table} AS part ON part.body_id = ranked.id {current} WHERE {filters}
"""
BY_WORDS = """
    WITH candidates AS MATERIALIZED ({candidates}), ranked AS MATERIALIZED (
        SELECT id, ts_rank_cd(search, %(words)s::tsquery, 32) AS rank FROM candidates
    )
    SELECT kind, id, artifact, score, (SELECT count(*) FROM candidates) FROM ({parts}) AS found
    ORDER BY score DESC, kind, id DESC LIMIT %(hits)s
"""
# Materialized: the planner takes current versions for rare, and would begin with all of them.
ARTIFACTS_SAYING = """
    WITH found AS MATERIALIZED (
        SELECT id FROM context_bodies
        WHERE numnode(%(words)s::tsquery) > 0 AND search @@ %(scoped)s::tsquery
            AND (%(projects)s::uuid[] IS NULL OR project_id = ANY(%(projects)s))
    )
    SELECT context_artifacts.id
    FROM found JOIN context_sections AS part ON part.body_id = found.id {current}
"""
PLACE = re.compile(r"%\((\w+)\)s")
BY_IDENTIFIER = """
    SELECT 'concept', part.id, context_artifacts.id, %(exact)s
    FROM context_concepts AS part {current}
    WHERE lower(part.identifier) = lower(%(text)s)
        AND (%(projects)s::uuid[] IS NULL OR part.project_id = ANY(%(projects)s)) AND {filters}
    ORDER BY part.id DESC LIMIT %(hits)s
"""
# Materialized, or the planner may score all names again for every artifact that it joins.
NEAR = """
    near_{kind} AS MATERIALIZED (
        SELECT id, version_id, score FROM (
            SELECT id, version_id, (
                SELECT count(*) FROM unnest(trigrams) AS one WHERE one = ANY(%(trigrams)s)
            )::float / cardinality(%(trigrams)s::text[]) AS score
            FROM {table} WHERE trigrams && %(trigrams)s::text[]
                AND (%(keys)s::text[] = '{{}}' OR trigrams && %(keys)s::text[])
                AND (%(projects)s::uuid[] IS NULL OR project_id = ANY(%(projects)s))
            LIMIT %(near)s
        ) AS weighed WHERE score >= %(alike)s
    )
"""
ALIKE_PARTS = """
    SELECT '{kind}' AS kind, part.id, context_artifacts.id AS artifact, part.score
    FROM near_{kind} AS part {current} WHERE {filters}
"""
BY_SPELLING = """
    WITH {near} SELECT kind, id, artifact, score FROM ({parts}) AS found
    ORDER BY score DESC, kind, id DESC LIMIT %(hits)s
"""
TABLES = {"section": "context_sections", "concept": "context_concepts"}
# What the words mean, and the same within the scope. The last word of one alone may go on.
QUERY = """
    SELECT words::text, CASE WHEN %(lexemes)s = '' THEN words
        ELSE %(lexemes)s::tsquery && words END::text, context_trigrams(NULL, left(%(text)s, 100))
    FROM (SELECT websearch_to_tsquery('english', %(text)s) ||
        CASE WHEN %(text)s ~ '^[[:alpha:]]{3,}$' THEN to_tsquery('simple', %(text)s || ':*')
        ELSE ''::tsquery END AS words) AS query
"""


@dataclass(frozen=True)
class Hit:
    """`kind`: section or concept, whose row `pk` is; or document, found through that section."""

    kind: str
    pk: int
    artifact: Any
    score: float
    through: str = ""


@dataclass(frozen=True)
class Found:
    """Best first. `is_complete` is False where older texts with the words were not looked at."""

    hits: list[Hit]
    words: str
    is_complete: bool


def find(
    text: str,
    scope: Scope,
    *,
    granularity: str = "",
    artifacts: QuerySet | None = None,
) -> Found:
    """What the current versions say of the text; `artifacts` narrows down whose versions."""
    text = text.strip()
    if not text or scope.projects == ():
        return Found([], "", True)
    return _Search(text, scope, granularity, artifacts).run()


def artifacts_saying(text: str, scope: Scope) -> RawSQL:
    """Ids of all artifacts whose current version has the words, as a subquery."""
    with connection.cursor() as cursor:
        cursor.execute(QUERY, {"text": text.strip(), "lexemes": scope.lexemes})
        words, scoped, _ = cursor.fetchone()
    projects = None if scope.projects is None else list(scope.projects)
    values = {"words": words, "scoped": scoped, "projects": projects}
    sql = ARTIFACTS_SAYING.format(current=CURRENT)
    names = PLACE.findall(sql)
    return RawSQL(PLACE.sub("%s", sql), [values[name] for name in names])  # noqa: S611 - constants with parameters


class _Search:
    def __init__(
        self, text: str, scope: Scope, granularity: str, artifacts: QuerySet | None
    ) -> None:
        self.granularity = granularity
        self.tables = {kind: t for kind, t in TABLES.items() if granularity in ("", kind)} or {
            "section": TABLES["section"]
        }
        self.filters, self.filter_values = _filters(artifacts)
        projects = None if scope.projects is None else list(scope.projects)
        self.values: dict[str, Any] = {
            "text": text,
            "projects": projects,
            "keys": scope.keys,
            "lexemes": scope.lexemes,
            "candidates": CANDIDATES,
            "near": CANDIDATES,
            "hits": HITS,
            "alike": ALIKE,
            "exact": EXACT_SCORE,
        }

    def run(self) -> Found:
        row = self._rows(QUERY)[0]
        self.values |= dict(zip(("words", "scoped", "trigrams"), row, strict=True))
        exact = self._by_identifier()
        by_words, is_complete = self._by_words()
        alike = self._by_spelling() if not exact and len(by_words) < FEW else []
        hits = _once([*exact, *by_words, *alike])
        if self.granularity == "document":
            hits = _documents(hits)
        return Found(hits[:HITS], self.values["words"], is_complete)

    def _by_identifier(self) -> list[Hit]:
        if "concept" not in self.tables:
            return []
        return [Hit(*row) for row in self._rows(self._filled(BY_IDENTIFIER))]

    def _by_words(self) -> tuple[list[Hit], bool]:
        parts = self._for_each_table(PARTS_OF_BODIES)
        order = "id" if self.values["projects"] is None else "id + 0"
        candidates = CANDIDATE_BODIES.format(order=order)
        rows = self._rows(BY_WORDS.format(candidates=candidates, parts=parts))
        return [Hit(*row[:4]) for row in rows], all(row[4] < CANDIDATES for row in rows)

    def _by_spelling(self) -> list[Hit]:
        if not self.values["trigrams"]:
            return []
        near = self._for_each_table(NEAR, ", ")
        sql = BY_SPELLING.format(near=near, parts=self._for_each_table(ALIKE_PARTS))
        # Less sure than any hit by word.
        return [
            Hit(kind, pk, artifact, score / 100) for kind, pk, artifact, score in self._rows(sql)
        ]

    def _for_each_table(self, sql: str, between: str = " UNION ALL ") -> str:
        return between.join(
            self._filled(sql, kind=kind, table=table) for kind, table in self.tables.items()
        )

    def _filled(self, sql: str, **names: str) -> str:
        return sql.format(current=CURRENT, filters=self.filters, **names)

    def _rows(self, sql: str) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(sql, self.values | self.filter_values)
            return cursor.fetchall()


def _filters(artifacts: QuerySet | None) -> tuple[str, dict[str, Any]]:
    """A condition on the artifact, from a queryset."""
    if artifacts is None:
        return "TRUE", {}
    sql, values = artifacts.order_by().values("pk").query.sql_with_params()
    names = [f"filter_{number}" for number in range(len(values))]
    condition = sql % tuple(f"%({name})s" for name in names)
    return f"context_artifacts.id IN ({condition})", dict(zip(names, values, strict=True))


def _once(hits: list[Hit]) -> list[Hit]:
    first: dict[tuple[str, int], Hit] = {}
    for hit in hits:
        first.setdefault((hit.kind, hit.pk), hit)
    return list(first.values())


def _documents(hits: list[Hit]) -> list[Hit]:
    """Each artifact once, at the place of its best hit."""
    best: dict[Any, Hit] = {}
    for hit in hits:
        best.setdefault(
            hit.artifact, Hit("document", hit.pk, hit.artifact, hit.score, through=hit.kind)
        )
    return list(best.values())
