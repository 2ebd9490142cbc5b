"""The search itself: exact ids first, then words by rank, then what is spelled alike."""

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from context.search.query_parser import ParsedQuery, parse_query, search_cursor, windows_of_names
from context.search.scope import CELLS, Scope
from context.search.spelling import ALIKE, ALIKE_PARTS, BY_SPELLING, PART_NAMES, near

# Only so many of the newest texts with the words are looked at, so that a word that is everywhere
# costs no more than a rare one.
CANDIDATES = 2_000
NAMES = 1_000
HITS = 500
# So many texts, the best ones, are usually enough for all hits.
BEST = 2 * HITS
# With fewer hits by word, words that begin so are looked for, then names that are spelled alike.
# The index collects all texts with such a beginning, however many: not for a word that is common.
FEW = 10
EXACT_SCORE = 2.0

CURRENT = """
    JOIN context_artifact_versions ON context_artifact_versions.id = part.version_id
    JOIN context_artifacts ON context_artifacts.id = context_artifact_versions.artifact_id
        AND context_artifact_versions.number =
            coalesce(context_artifacts.accepted_version, context_artifacts.version)
"""
# `id + 0`, or the planner may walk the primary key backwards through the whole store.
TEXTS_OF_AN_AGE = """
    (SELECT id, search FROM context_bodies
    WHERE search @@ %(loose)s::tsquery AND {cells} && %({window})s::int[] AND {scope}
    ORDER BY id + 0 DESC LIMIT %(candidates)s)
"""
PARTS_OF_BODIES = """
    SELECT '{kind}' AS kind, part.id, context_artifacts.id AS artifact, rank AS score
    FROM best JOIN {table} AS part ON part.body_id = best.id {current} WHERE {filters}
"""
# The windows are read one after the other, until there are enough candidates.
BY_WORDS = """
    WITH candidates AS MATERIALIZED (
        SELECT id, search FROM ({windows}) AS newest LIMIT %(candidates)s
    ), ranked AS MATERIALIZED (
        SELECT id, ts_rank_cd(search, %(words)s::tsquery, 32) AS rank FROM candidates
        WHERE search @@ %(words)s::tsquery
    ), best AS MATERIALIZED (SELECT id, rank FROM ranked ORDER BY rank DESC, id DESC LIMIT %(best)s)
    SELECT kind, id, artifact, score, looked_at, matching FROM (
        SELECT (SELECT count(*) FROM candidates) AS looked_at,
            (SELECT count(*) FROM ranked) AS matching
    ) AS counts LEFT JOIN (
        SELECT * FROM ({parts}) AS parts ORDER BY score DESC, kind, id DESC LIMIT %(hits)s
    ) AS hits ON TRUE ORDER BY score DESC, kind, id DESC
"""
OF_TEXTS = """
    WITH best AS MATERIALIZED (
        SELECT * FROM unnest(%(ids)s::bigint[], %(ranks)s::float[]) AS scored (id, rank)
    )
    SELECT kind, id, artifact, score FROM ({parts}) AS parts
    ORDER BY score DESC, kind, id DESC LIMIT %(hits)s
"""
ARTIFACTS_WITH_WORDS = """
    WITH body AS MATERIALIZED (
        SELECT id FROM context_bodies WHERE search @@ %(words)s::tsquery AND {scope}
    ), part AS MATERIALIZED (
        SELECT DISTINCT version_id FROM body
        JOIN context_sections ON context_sections.body_id = body.id
    )
    SELECT array_agg(DISTINCT context_artifacts.id) FROM part {current}
"""
BY_IDENTIFIER = """
    SELECT 'concept', part.id, context_artifacts.id, %(exact)s
    FROM context_concepts AS part {current}
    WHERE lower(part.identifier) = lower(%(text)s)
        AND {scope} AND {filters}
    ORDER BY part.id DESC LIMIT %(hits)s
"""
TABLES = {"section": "context_sections", "concept": "context_concepts"}


@dataclass(frozen=True)
class Hit:
    """`kind`: section or concept, whose row `pk` is; or document, found through that section."""

    kind: str
    pk: int
    artifact: Any
    score: float
    through: str = ""

    @property
    def is_exact(self) -> bool:
        return self.score == EXACT_SCORE

    def scored(self, score: float) -> "Hit":
        """With this score; an exact hit keeps its own."""
        return self if self.is_exact else replace(self, score=score)


@dataclass(frozen=True)
class Matches:
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
) -> Matches:
    """What the current versions say of the text; `artifacts` narrows down whose versions."""
    text = text.strip()
    if not text or scope.projects == ():
        return Matches([], "", True)
    with search_cursor() as cursor:
        query = parse_query(text, scope, cursor)
        return _Search(query, scope, granularity, artifacts, cursor).run()


def artifacts_with_words(text: str, scope: Scope) -> RawSQL:
    """Ids of all artifacts whose current version has the words, as a subquery."""
    ids = None
    with search_cursor() as cursor:
        query = parse_query(text.strip(), scope, cursor)
        if query.words:
            sql = ARTIFACTS_WITH_WORDS.format(current=CURRENT, scope=scope.of_bodies())
            cursor.execute(sql, {"words": query.words, "projects": scope.parameter})
            (ids,) = cursor.fetchone()
    return RawSQL("SELECT unnest(%s::uuid[])", [ids or []])


def hits_of_texts(
    scores: dict[int, float], *, granularity: str = "", artifacts: QuerySet | None = None
) -> list[Hit]:
    """The parts of current versions that have these texts, by ids of texts with their scores."""
    filters, values = _filters(artifacts)
    parts = _parts_of_bodies(_tables(granularity), filters)
    values |= {"ids": list(scores), "ranks": list(scores.values()), "hits": HITS}
    with search_cursor() as cursor:
        cursor.execute(OF_TEXTS.format(parts=parts), values)
        hits = [Hit(*row) for row in cursor.fetchall()]
    return _best_by_artifact(hits) if granularity == "document" else hits


def _tables(granularity: str) -> dict[str, str]:
    """Documents are found through their sections."""
    return {kind: t for kind, t in TABLES.items() if granularity in ("", kind)} or {
        "section": TABLES["section"]
    }


def _parts_of_bodies(tables: dict[str, str], filters: str) -> str:
    return " UNION ALL ".join(
        PARTS_OF_BODIES.format(kind=kind, table=table, current=CURRENT, filters=filters)
        for kind, table in tables.items()
    )


class _Search:
    def __init__(
        self,
        query: ParsedQuery,
        scope: Scope,
        granularity: str,
        artifacts: QuerySet | None,
        cursor: Any,
    ) -> None:
        self.query, self.scope, self.cursor = query, scope, cursor
        self.granularity = granularity
        self.tables = _tables(granularity)
        self.filters, self.filter_values = _filters(artifacts)
        self.values: dict[str, Any] = {
            "text": query.text,
            "trigrams": query.trigrams,
            "projects": scope.parameter,
            "candidates": CANDIDATES,
            "names": NAMES,
            "hits": HITS,
            "alike": ALIKE,
            "exact": EXACT_SCORE,
        }

    def run(self) -> Matches:
        query = self.query
        hits, words = [], query.words
        if "concept" in self.tables:
            sql = self._filled(BY_IDENTIFIER, scope=self.scope.of_parts)
            hits = [Hit(*row) for row in self._rows(sql)]
        is_exact = bool(hits)
        by_words, is_complete = self._by_words(words, query.loose)
        if not is_exact and len(by_words) < FEW and query.prefixed:
            words = query.prefixed
            by_prefix, is_complete = self._by_words(words, words)
            by_words += by_prefix
        hits += by_words
        if not is_exact and len(by_words) < FEW:
            hits += self._by_spelling()
        hits = _once(hits)
        if self.granularity == "document":
            hits = _best_by_artifact(hits)
        return Matches(hits[:HITS], words, is_complete)

    def _by_words(self, words: str, loose: str) -> tuple[list[Hit], bool]:
        windows = self.query.windows
        if not words or not windows:
            return [], True
        arms = " UNION ALL ".join(
            TEXTS_OF_AN_AGE.format(
                cells=CELLS, window=f"window_{n}", scope=window.scope.of_bodies(f"projects_{n}")
            )
            for n, window in enumerate(windows)
        )
        sql = BY_WORDS.format(windows=arms, parts=_parts_of_bodies(self.tables, self.filters))
        values = {"words": words, "loose": loose}
        for n, window in enumerate(windows):
            values |= {f"window_{n}": window.cells, f"projects_{n}": window.scope.parameter}
        rows = self._rows(sql, values | {"best": BEST})
        hits, (looked_at, matching) = _hits(rows), rows[0][4:]
        if len(hits) < HITS and matching > BEST:
            # Most of them are not of current versions, or not what the filters ask for.
            hits = _hits(self._rows(sql, values | {"best": CANDIDATES}))
        return hits, looked_at < CANDIDATES

    def _by_spelling(self) -> list[Hit]:
        if not self.query.trigrams:
            return []
        ages = {
            kind: windows_of_names(table, self.scope, self.cursor)
            for kind, table in self.tables.items()
        }
        tables = {kind: table for kind, table in self.tables.items() if ages[kind]}
        if not tables:
            return []
        trigrams = self.query.trigrams
        expressions = [near(kind, t, trigrams, ages[kind]) for kind, t in tables.items()]
        parts = " UNION ALL ".join(
            self._filled(ALIKE_PARTS, kind=kind, table=table, name=PART_NAMES[kind])
            for kind, table in tables.items()
        )
        sql = BY_SPELLING.format(near=", ".join(sql for sql, _ in expressions), parts=parts)
        values = {name: value for _, values in expressions for name, value in values.items()}
        # Less sure than any hit by word.
        return [
            Hit(kind, pk, artifact, score / 100)
            for kind, pk, artifact, score in self._rows(sql, values)
        ]

    def _filled(self, sql: str, **names: str) -> str:
        return sql.format(current=CURRENT, filters=self.filters, **names)

    def _rows(self, sql: str, values: dict[str, Any] | None = None) -> list[tuple]:
        self.cursor.execute(sql, self.values | self.filter_values | (values or {}))
        return self.cursor.fetchall()


def _hits(rows: list[tuple]) -> list[Hit]:
    """Without the row that is there for its counts alone."""
    return [Hit(*row[:4]) for row in rows if row[0]]


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


def _best_by_artifact(hits: list[Hit]) -> list[Hit]:
    """Each artifact once, at the place of its best hit."""
    best: dict[Any, Hit] = {}
    for hit in hits:
        best.setdefault(
            hit.artifact, Hit("document", hit.pk, hit.artifact, hit.score, through=hit.kind)
        )
    return list(best.values())
