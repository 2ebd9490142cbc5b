"""Names that are spelled alike, by the trigrams that they share."""

from collections.abc import Iterator
from typing import Any

from context.search.query_parser import VisibleWindow
from context.search.scope import CELLS

# A name shares at least so much of the trigrams.
ALIKE = 0.5
# The newest names that may match are compared; materialized, or the planner may compare them
# again for every artifact that it joins.
NEAR = """
    near_{kind} AS MATERIALIZED (
        SELECT DISTINCT body_id, name, score FROM (
            SELECT body_id, name,
                ({shared})::float / cardinality(%(trigrams)s::text[]) AS score
            FROM ({arms}) AS newest LIMIT %(names)s
        ) AS weighed WHERE score >= %(alike)s
    )
"""
ARM = """
    (SELECT body_id, {name} AS name, trigrams FROM {table} AS part
    WHERE {cells} && %({window})s::int[] AND {groups} AND {scope}
    ORDER BY id + 0 DESC LIMIT %(names)s)
"""
# Only the first row of a text under a name has trigrams; which rows are current, its others say.
ALIKE_PARTS = """
    SELECT '{kind}' AS kind, part.id, context_artifacts.id AS artifact, near.score
    FROM near_{kind} AS near
    JOIN {table} AS part ON part.body_id = near.body_id AND {name} = near.name
    {current} WHERE {filters}
"""
PART_NAMES = {"section": "part.title", "concept": "part.identifier || ' ' || part.title"}
BY_SPELLING = """
    WITH {near} SELECT kind, id, artifact, score FROM ({parts}) AS parts
    ORDER BY score DESC, kind, id DESC LIMIT %(hits)s
"""


def near(
    kind: str, table: str, trigrams: list[str], windows: list[VisibleWindow]
) -> tuple[str, dict[str, Any]]:
    """The common table expression `near_...`, with its parameters."""
    values: dict[str, Any] = {f"group_{n}": group for n, group in enumerate(groups_of(trigrams))}
    conditions = " AND ".join(f"trigrams && %({name})s::text[]" for name in values)
    arms = " UNION ALL ".join(
        ARM.format(
            table=table,
            name=PART_NAMES[kind],
            cells=CELLS,
            window=f"{kind}_{n}",
            groups=conditions,
            scope=window.scope.of_names(f"{kind}_keys_{n}"),
        )
        for n, window in enumerate(windows)
    )
    for n, window in enumerate(windows):
        values |= {f"{kind}_{n}": window.cells, f"{kind}_keys_{n}": window.scope.keys}
    values |= {f"trigram_{n}": trigram for n, trigram in enumerate(trigrams)}
    shared = " + ".join(f"(%(trigram_{n})s = ANY(trigrams))::int" for n in range(len(trigrams)))
    return NEAR.format(kind=kind, arms=arms, shared=shared), values


def groups_of(trigrams: list[str]) -> Iterator[list[str]]:
    """Four groups of more than half: a name that shares half of all trigrams has one of each."""
    size = len(trigrams) - -(-len(trigrams) // 2) + 1
    turned = trigrams[::2] + trigrams[1::2]
    yield from (trigrams[:size], trigrams[-size:], turned[:size], turned[-size:])
