"""What the words of a person ask for, and how the database is to look."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from context.search.ages import windows
from context.search.scope import Scope

# `querytree` is what is left of words without what must not be there.
MEANING = """
    SELECT words::text, querytree(words),
        CASE WHEN %(text)s ~ '^[[:alpha:]]{{3,}}$'
            THEN (words || to_tsquery('simple', %(text)s || ':*'))::text ELSE '' END,
        context_trigrams(NULL, left(%(text)s, 100)),
        {bodies},
        (SELECT min(id) FROM context_sections), (SELECT max(id) FROM context_sections),
        (SELECT min(id) FROM context_concepts), (SELECT max(id) FROM context_concepts)
    FROM websearch_to_tsquery('english', %(text)s) AS words
"""
IN_THE_STORE = "(SELECT min(id) FROM context_bodies), (SELECT max(id) FROM context_bodies)"
# Else windows without a text of theirs come first for those whose projects are all old.
END_IN_PROJECTS = """
    (SELECT {end}((
        SELECT {end}(body.id) FROM context_bodies AS body WHERE body.project_id = one.project
    )) FROM unnest(%(projects)s::uuid[]) AS one (project))
"""
IN_PROJECTS = ", ".join(END_IN_PROJECTS.format(end=end) for end in ("min", "max"))
KINDS = ("body", "section", "concept")
PHRASE = re.compile(r"('(?:[^']|'')*')|<(?:-|\d+)>")
NOTHING_TO_ASK_FOR = "T"
# Estimates of how many texts have a word, and are of a current version, are far off: the planner
# would read whole tables, or start helpers and a compiler, where limits end the search long before.
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
class Question:
    """`words` is what must be met; `loose` what the index answers alone: all words, in any order.

    `begun` is one word alone with what begins so, else ''. `windows` are, for each kind, lists of
    cells from the newest to the oldest.
    """

    text: str
    words: str
    loose: str
    begun: str
    trigrams: list[str]
    windows: dict[str, list[list[int]]]


@contextmanager
def searching() -> Iterator[Any]:
    """A cursor whose statements go through the indexes."""
    is_within = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(THROUGH_INDEXES)
        yield cursor
        if is_within:
            cursor.execute(AS_USUAL)


def understood(text: str, scope: Scope, cursor: Any) -> Question:
    bodies = IN_PROJECTS if scope.is_in_the_index else IN_THE_STORE
    cursor.execute(MEANING.format(bodies=bodies), {"text": text, "projects": scope.parameter})
    words, tree, begun, trigrams, *bounds = cursor.fetchone()
    ends = zip(bounds[::2], bounds[1::2], strict=True)
    found = {
        kind: [] if oldest is None else list(windows(oldest, newest))
        for kind, (oldest, newest) in zip(KINDS, ends, strict=True)
    }
    return Question(text, words, _loose(words, tree), begun, trigrams, found)


def _loose(words: str, tree: str) -> str:
    """Whether words stand side by side only the text itself tells, and reading it is what costs."""
    if not any(not match[1] for match in PHRASE.finditer(words)) or tree == NOTHING_TO_ASK_FOR:
        return words
    return PHRASE.sub(lambda match: match[1] or "&", tree)
