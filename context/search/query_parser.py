"""A person's words as a query of the database, and the indexes that it goes through."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from context.search.scope import Scope, windows

# `querytree` is the query without the words that must not be there.
MEANING = """
    SELECT words::text, querytree(words),
        CASE WHEN %(text)s ~ '^[[:alpha:]]{{3,}}$'
            THEN (words || to_tsquery('simple', %(text)s || ':*'))::text ELSE '' END,
        context_trigrams(NULL, left(%(text)s, 100)), oldest, newest
    FROM websearch_to_tsquery('english', %(text)s) AS words, ({ends}) AS ends
"""
ENDS_IN_THE_STORE = """
    SELECT ARRAY[(SELECT min(id) FROM {table})] AS oldest,
        ARRAY[(SELECT max(id) FROM {table})] AS newest
"""
# By project, so that a window names only projects with rows in it. The list of projects is sent
# once, because to send and read it takes as long as the look at the index.
ENDS_IN_PROJECTS = """
    SELECT array_agg(first ORDER BY place) AS oldest, array_agg(last ORDER BY place) AS newest
    FROM (
        SELECT place,
            (SELECT min(part.id) FROM {table} AS part WHERE {indexed}) AS first,
            (SELECT max(part.id) FROM {table} AS part WHERE {indexed}) AS last
        FROM unnest(%(projects)s::uuid[]) WITH ORDINALITY AS scope (project, place)
    ) AS ends_of_one
"""
OF_ONE = "part.project_id = scope.project"
TEXTS = "context_bodies"
# Names are searched only in rows with trigrams, so their index by project has only these.
NAMED = f"{OF_ONE} AND part.trigrams IS NOT NULL"
# A dash before no word excludes nothing, and PostgreSQL has room for 32 of them.
LOOSE_DASH = re.compile(r'-(?![\w"])')
PHRASE = re.compile(r"('(?:[^']|'')*')|<(?:-|\d+)>")
NOTHING_TO_ASK_FOR = "T"
# Estimates of how many texts have a word, and are of a current version, are far off: the planner
# would read whole tables, or start parallel workers and a compiler, where limits end the search
# long before.
# Nor may it begin with all current versions: joins are made in the order in which they are written.
AVOIDED = ("seqscan", "hashjoin", "mergejoin")
OFF = {f"enable_{way}": "off" for way in AVOIDED} | {
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "join_collapse_limit": "1",
}
THROUGH_INDEXES = ";".join(f"SET LOCAL {name} = {value}" for name, value in OFF.items())
AS_USUAL = ";".join(f"SET LOCAL {name} = DEFAULT" for name in OFF)


@dataclass(frozen=True)
class VisibleWindow:
    """A window, with the projects in it that the caller may see."""

    cells: list[int]
    scope: Scope


@dataclass(frozen=True)
class ParsedQuery:
    """`words` is what must be met; `loose` what the index answers alone: all words, in any order.

    `prefixed` is a single word with all that begin with it, else ''. `windows` are those of texts,
    newest first.
    """

    text: str
    words: str
    loose: str
    prefixed: str
    trigrams: list[str]
    windows: list[VisibleWindow]


@contextmanager
def search_cursor() -> Iterator[Any]:
    """A cursor whose statements go through the indexes."""
    is_within = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(THROUGH_INDEXES)
        yield cursor
        if is_within:
            cursor.execute(AS_USUAL)


def without_loose_dashes(text: str) -> str:
    """What `websearch_to_tsquery` takes, whatever it is."""
    return LOOSE_DASH.sub(" ", text)


def parse_query(text: str, scope: Scope, cursor: Any) -> ParsedQuery:
    sql = MEANING.format(ends=_ends(scope, TEXTS))
    asked = without_loose_dashes(text)
    cursor.execute(sql, {"text": asked, "projects": scope.parameter})
    words, tree, prefixed, trigrams, oldest, newest = cursor.fetchone()
    loose = words
    # Only the text itself tells whether words stand side by side, and reading it is what costs.
    if any(not match[1] for match in PHRASE.finditer(words)) and tree != NOTHING_TO_ASK_FOR:
        loose = PHRASE.sub(lambda match: match[1] or "&", tree)
    visible = _windows(scope, oldest, newest)
    return ParsedQuery(text, words, loose, prefixed, trigrams, visible)


def windows_of_names(table: str, scope: Scope, cursor: Any) -> list[VisibleWindow]:
    """Those of sections or concepts, newest first."""
    cursor.execute(_ends(scope, table, NAMED), {"projects": scope.parameter})
    return _windows(scope, *cursor.fetchone())


def _ends(scope: Scope, table: str, indexed: str = OF_ONE) -> str:
    """A query for the oldest rows, and the newest ones."""
    sql = ENDS_IN_PROJECTS if scope.is_in_the_index else ENDS_IN_THE_STORE
    return sql.format(table=table, indexed=indexed)


def _windows(
    scope: Scope, oldest: list[int | None], newest: list[int | None]
) -> list[VisibleWindow]:
    if not scope.is_in_the_index:
        spans = [ends for ends in zip(oldest, newest, strict=True) if None not in ends]
        return [VisibleWindow(window.cells, scope) for window in windows(spans)]
    ends = zip(scope.projects, oldest, newest, strict=True)
    spans_by_project = {
        project: (first, last) for project, first, last in ends if first is not None
    }
    projects = list(spans_by_project)
    return [
        VisibleWindow(window.cells, Scope(tuple(projects[place] for place in window.spans)))
        for window in windows(list(spans_by_project.values()))
    ]
