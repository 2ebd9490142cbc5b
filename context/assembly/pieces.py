"""What a step asks for, and what can be given to it, with the shorter forms."""

from dataclasses import dataclass, field
from typing import Any

from context.enums import Form, Need

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


SUMMARY_CHARACTERS = 600
# Where a content says in short what it is, the first that is there.
SUMMARY_FIELDS = ("summary", "overview", "approach", "text", "answer", "body")


@dataclass(frozen=True)
class Piece:
    """A whole document (`part` is empty) or a part of one, in one form.

    `content` is there for whole documents in full; `source` is the row of the version.
    """

    need: Need
    label: str
    artifact: str
    version: int
    artifact_type: str
    title: str
    part: str
    form: Form
    text: str
    content: dict[str, Any] | None = field(default=None, compare=False)
    source: Any = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, int, str]:
        return (self.artifact, self.version, self.part)


@dataclass(frozen=True)
class Candidate:
    """The forms of one thing, from full to title, each shorter than the one before."""

    forms: tuple[Piece, ...]

    @property
    def full(self) -> Piece:
        return self.forms[0]


def shortened(text: str) -> str:
    """The beginning, cut between words."""
    plain = " ".join(text.split())
    if len(plain) <= SUMMARY_CHARACTERS:
        return plain
    return plain[:SUMMARY_CHARACTERS].rsplit(" ", 1)[0] + " …"


def summary_of(content: dict[str, Any], parts: list[str]) -> str:
    """What a document says of itself, and what it consists of."""
    summary = next((content[n] for n in SUMMARY_FIELDS if isinstance(content.get(n), str)), "")
    listed = f"\nIt has these parts: {', '.join(parts)}" if parts else ""
    return shortened(summary) + (listed if len(listed) <= 2 * SUMMARY_CHARACTERS else "")
