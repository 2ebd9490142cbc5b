"""Choose the kind of program that fits the requirements best, and have it built."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from agents.offline import calculation, records, tables
from agents.offline.demands import Wanted
from agents.offline.entities import EntityIdea
from agents.offline.limits import beyond
from agents.offline.program import Program

KINDS = {
    "records": "a program that keeps records",
    "tables": "a program that reads tables and reports on them",
    "calculation": "a program that calculates by rules",
}
_GENERATORS = {
    "records": records.build.build,
    "tables": tables.build.build,
    "calculation": calculation.build.build,
}
_SCORES = {
    "records": records.score,
    "tables": tables.score,
    "calculation": calculation.score,
}


def kind_of(wanted: Sequence[Wanted]) -> str:
    """The kind of program that these requirements call for; '' if none is recognised."""
    statements = [w.statement for w in wanted if not beyond(w.statement)]
    scores = {kind: score(statements) for kind, score in _SCORES.items()}
    best = max(scores, key=lambda kind: scores[kind])
    return best if scores[best] else ""


def build(
    kind: str,
    title: str,
    wanted: Sequence[Wanted],
    *,
    given: Iterable[EntityIdea] = (),
    dropped: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    """A program of the given kind."""
    return _GENERATORS[kind](title, wanted, given, dropped)
