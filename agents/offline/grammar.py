"""Find in a statement what is done to what: "members can borrow books" is (lend, book, member)."""

import re
from dataclasses import dataclass
from functools import cache

from agents.offline.words import (
    DETERMINERS,
    OPERATIONS,
    PRONOUNS,
    STOPS,
    forms,
    singular,
)

_TOKEN = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*|[,;:()]")
_BEFORE_A_VERB = frozenset(
    "can may must should shall could will would to i we they you not also then never please able "
    "always only users people everyone anyone someone who that which".split()
)
_JOINERS = frozenset([",", "and", "or", "und", "oder", "then"])
_PASSIVE = frozenset("be is are been being was were get gets wird werden".split())
_NOUNS_TOO = frozenset(
    "record log list book view return loan rent check mark store show report update change filter "
    "search close track tick rename import export save file enter load sell see show overview "
    "complete finish display insert put amend issue receive reserve collect".split()
)
_SUBJECTS = frozenset("it he she program tool system app application who that which".split())
_GERMAN_LETTERS = re.compile(r"(?:en|ern|eln)$")


@dataclass(frozen=True)
class Act:
    """One thing that is done. `thing` and `subject` are in the singular, '' if unsaid."""

    operation: str
    thing: str
    subject: str = ""


@dataclass(frozen=True)
class _Verb:
    operation: str
    shape: str
    size: int


def tokens(statement: str) -> list[str]:
    return _TOKEN.findall(statement)


def acts(statement: str) -> list[Act]:
    """Everything that the statement says is done, in order."""
    spoken = tokens(statement)[:150]
    lower = [token.lower() for token in spoken]
    verbs = _verbs(lower)
    return [
        Act(verb.operation, thing, _subject(lower, verbs, at))
        for at, verb in verbs.items()
        for thing in _objects(spoken, lower, verbs, at)
    ]


@cache
def _vocabulary() -> dict[tuple[str, ...], tuple[str, str]]:
    """Verb forms as word tuples, each with (operation, shape)."""
    known: dict[tuple[str, ...], tuple[str, str]] = {}
    for operation, verbs in OPERATIONS.items():
        for verb in verbs:
            if _GERMAN_LETTERS.search(verb) and verb not in ("amend", "load"):
                known[(verb,)] = (operation, "german")
                continue
            third, past = forms(verb)
            known.setdefault(tuple(third.split("-")), (operation, "third"))
            known.setdefault(tuple(past.split("-")), (operation, "past"))
            known[tuple(verb.split("-"))] = (operation, "base")
    return known


def _verbs(lower: list[str]) -> dict[int, _Verb]:
    found: dict[int, _Verb] = {}
    for at in range(len(lower)):
        for size in (2, 1):
            entry = _vocabulary().get(tuple(lower[at : at + size]))
            if entry and _is_verb(lower, at, entry[1], bool(found)):
                found[at] = _Verb(entry[0], entry[1], size)
                break
    return found


def _is_verb(lower: list[str], at: int, shape: str, after_another: bool) -> bool:
    before = lower[at - 1] if at else ""
    if shape == "german":
        return True
    if shape == "past":
        return bool(_PASSIVE & set(lower[max(0, at - 3) : at])) or (
            after_another and before in _JOINERS
        )
    if shape == "third":
        return before in _SUBJECTS or (before in _JOINERS and after_another)
    if not at or before in _BEFORE_A_VERB or (before in _JOINERS and after_another):
        return True
    if at <= 2 and before.endswith("s") and before not in STOPS | DETERMINERS:
        return True
    return before in (":", ";", "(") or (
        lower[at] not in _NOUNS_TOO and before not in DETERMINERS and before not in STOPS
    )


def _objects(spoken: list[str], lower: list[str], verbs: dict[int, _Verb], at: int) -> list[str]:
    """What the verb acts on; "add books and members" has two objects."""
    verb = verbs[at]
    if verb.shape == "german":
        return [_noun_before(spoken, at)]
    if verb.shape == "past" and (subject := _phrase_before(lower, verbs, at)):
        return [subject]
    position = _after_verbs(lower, verbs, at)
    phrase, end = _phrase(lower, verbs, position)
    found = [_named(phrase)]
    while phrase and end < len(lower) and lower[end] in _JOINERS and len(found) < 4:
        phrase, end = _phrase(lower, verbs, end + 1)
        found += [_named(phrase)] if phrase else []
    return list(dict.fromkeys(found))


def _after_verbs(lower: list[str], verbs: dict[int, _Verb], at: int) -> int:
    position = at + verbs[at].size
    while position < len(lower) and (lower[position] in _JOINERS or position in verbs):
        position += verbs[position].size if position in verbs else 1
    if position < len(lower) and lower[position] in ("the", "a") and "of" in lower[position:]:
        of = lower.index("of", position)
        if of - position <= 2 and lower[of - 1] in ("list", "details", "overview", "copy", "set"):
            return of + 1
    return position


def _phrase(lower: list[str], verbs: dict[int, _Verb], position: int) -> tuple[list[str], int]:
    """The noun phrase from a position on, and where it ends."""
    found: list[str] = []
    for at in range(position, min(position + 8, len(lower))):
        token = lower[at]
        if token in DETERMINERS and not found:
            continue
        if token in STOPS or not token[0].isalpha() or len(found) == 3 or at in verbs:
            return found, at
        found.append(token)
    return found, len(lower)


def _phrase_before(lower: list[str], verbs: dict[int, _Verb], at: int) -> str:
    """The noun in front of a passive: "books can be added"."""
    end = at
    while end and (lower[end - 1] in STOPS or lower[end - 1].endswith("ly")):
        end -= 1
    start = end
    while start and end - start < 3 and lower[start - 1][0].isalpha():
        if start - 1 in verbs or lower[start - 1] in STOPS | DETERMINERS:
            break
        start -= 1
    return _named(lower[start:end])


def _noun_before(spoken: list[str], at: int) -> str:
    """German puts the object before the verb, and writes nouns with a capital."""
    for position in range(at - 1, 0, -1):
        token = spoken[position]
        if token[0].isupper() and token.lower() not in DETERMINERS | STOPS:
            return _named([token.lower()])
    return ""


def _subject(lower: list[str], verbs: dict[int, _Verb], at: int) -> str:
    first = min(verbs)
    for position in range(min(at, first) - 1, -1, -1):
        token = lower[position]
        if token[0].isalpha() and token not in STOPS and token not in DETERMINERS:
            return singular(token)
    return ""


def _named(found: list[str]) -> str:
    if not found or found[-1] in PRONOUNS:
        return ""
    return " ".join([*found[:-1], singular(found[-1])])
