"""Which passages ask for something, and how much it is wanted."""

import re
from dataclasses import dataclass

from agents.offline.calculation.grammar import rules_in
from agents.offline.entities import CHOICES, described
from agents.offline.grammar import acts
from agents.offline.reading import Passage, Source, read
from agents.offline.tables.grammar import speaks_of_tables

MAX_REQUIREMENTS = 200

_MODAL = re.compile(
    r"\b(?:must|shall|should|has to|have to|needs? to|can|cannot|could|may|able to|wants? to|"
    r"would like to|"
    r"is required|would be nice|are required|muss|müssen|soll|sollen|sollte|kann|können|darf|"
    r"dürfen)\b",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"\b(?:must|shall|should be able|needs? to be able|muss|soll)\b", re.IGNORECASE
)
_COULD = re.compile(
    r"\b(?:could|nice to have|would be nice|optional(?:ly)?|if time allows|perhaps|maybe|"
    r"könnte|wäre schön)\b",
    re.IGNORECASE,
)
_SHOULD = re.compile(r"\b(?:should|ideally|preferably|soll|sollte|sollen)\b", re.IGNORECASE)
_OUT = re.compile(
    r"\b(?:out of scope|not in scope|not needed|no need|not part of|do(?:es)? not need|"
    r"don['’]t need|not required|"
    r"not for now|later version|for later|we will not|what it is not|nicht nötig|nicht "
    r"benötigt|brauchen (?:wir )?kein)",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(
    r"\b(?:background|context|why|about us|who we are|situation|problem|today|motivation|"
    r"introduction|"
    r"glossary|hintergrund|ausgangslage|example|contact)\b",
    re.IGNORECASE,
)
_OPTIONAL_SECTION = re.compile(
    r"\b(?:nice to have|optional|if there is time|wish|could)\b", re.IGNORECASE
)
_QUALITY = re.compile(
    r"\b(?:command line|terminal|internet|offline|standard library|install|fast|quick|secure|"
    r"clear message|"
    r"understandable|error|mistake|typing|wrong input|survive|restart|between runs|saved in|"
    r"one file|computer|"
    r"accessible|easy to use|reliable|backup|seconds|kommandozeile)\b",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"(?:my|our|we (?:have|are)|i (?:have|am)|there (?:is|are)|it is|they are|unser|wir haben)\b",
    re.I,
)
_NUMBER = re.compile(r"\b\d+\b")
_EMPHASIS = re.compile(r"(\*\*|__|`)(?=\S)|(?<=\S)(\*\*|__|`)")


@dataclass(frozen=True)
class Found:
    """A passage that asks for something."""

    passage: Passage
    statement: str
    priority: str
    kind: str


@dataclass(frozen=True)
class Reading:
    """Everything that the words of people ask for, and what they rule out."""

    found: tuple[Found, ...]
    out_of_scope: tuple[str, ...]
    headings: tuple[str, ...]
    dropped: int


def understand(sources: list[Source]) -> Reading:
    """The requirements of all sources, in order, each statement once."""
    passages = [passage for source in sources for passage in read(source)]
    body = [passage for passage in passages if passage.kind != "heading"]
    out = [passage for passage in body if _is_out(passage)]
    found: dict[str, Found] = {}
    for passage in body:
        if not _is_out(passage) and _asks(passage):
            found.setdefault(_plain(passage).lower(), _found(passage))
    every = tuple(found.values())
    headings = tuple(passage.quote for passage in passages if passage.kind == "heading")
    ruled_out = tuple(dict.fromkeys(_plain(passage) for passage in out))[:100]
    return Reading(every[:MAX_REQUIREMENTS], ruled_out, headings, len(every[MAX_REQUIREMENTS:]))


def _found(passage: Passage) -> Found:
    kind = (
        "quality"
        if _QUALITY.search(passage.quote) and not described(passage.quote)
        else "functional"
    )
    return Found(passage, _plain(passage), _priority(passage), kind)


def _plain(passage: Passage) -> str:
    return _EMPHASIS.sub("", passage.statement)


def _is_out(passage: Passage) -> bool:
    return bool(_OUT.search(passage.section) or _OUT.search(passage.statement))


def _priority(passage: Passage) -> str:
    if _COULD.search(passage.quote) or _OPTIONAL_SECTION.search(passage.section):
        return "could"
    return "should" if _SHOULD.search(passage.quote) else "must"


def _asks(passage: Passage) -> bool:
    """Whether the passage asks for something, as far as its form and place tell."""
    statement = _plain(passage)
    if statement.endswith(("?", ":")) or len(statement) < 8:
        return False
    if passage.source.kind == "feedback" or _STRONG.search(statement):
        return _has_letters(statement)
    if _BACKGROUND.search(passage.section):
        return False
    return _has_letters(statement) and bool(
        _MODAL.search(statement)
        or acts(statement)
        or _QUALITY.search(statement)
        or described(statement)
        or CHOICES.search(statement)
        or (_NUMBER.search(statement) and not _TELLS.match(statement))
        or rules_in(statement)
        or speaks_of_tables(statement)
    )


def _has_letters(statement: str) -> bool:
    return sum(character.isalpha() for character in statement) * 2 > len(statement)
