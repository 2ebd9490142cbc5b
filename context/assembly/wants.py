"""What a step wants of the store, with the versions that it means."""

from dataclasses import dataclass
from typing import Any

from context.enums import Need

QUERY_LIMIT = 5


@dataclass(frozen=True)
class Want:
    """One line of a step's `requires` or `context`. `sources` are (artifact, version).

    With `section`, `concept` (patterns with *) or `query` it means parts, else whole documents.
    """

    need: Need
    label: str
    sources: tuple[tuple[str, int], ...]
    section: str = ""
    concept: str = ""
    query: str = ""
    limit: int = QUERY_LIMIT


def want_of(stored: dict[str, Any]) -> Want:
    """As it stands in a handoff."""
    return Want(
        need=Need(stored["need"]),
        label=stored["label"],
        sources=tuple((artifact, version) for artifact, version in stored["sources"]),
        section=stored.get("section", ""),
        concept=stored.get("concept", ""),
        query=stored.get("query", ""),
        limit=stored.get("limit", QUERY_LIMIT),
    )
