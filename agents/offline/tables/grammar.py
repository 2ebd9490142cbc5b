"""Read what a statement says about a table and the figures wanted from it."""

import re

from agents.offline.demands import Demand
from agents.offline.entities import field_ideas, type_of
from agents.offline.numbers import NUMBER, whole
from agents.offline.words import identifier, stem

_COLUMNS = re.compile(
    r"\bcolumns?(?: (?:named|called|are|such as))?:?\s+(?P<after>[^.;!?]{3,200})|"
    r"\bspalten:?\s+(?P<german>[^.;!?]{3,200})",
    re.I,
)
_INPUT = re.compile(
    r"\b(?:csv|spreadsheet|export(?:ed)? file|bank export|log ?file|table|rows?|columns?|"
    r"zeilen?|spalten?)\b",
    re.IGNORECASE,
)
_FIGURES = (
    ("average", r"\b(?:averages?|mean|durchschnitt\w*)\b"),
    ("count", r"\b(?:how many|number of|counts?|counted|anzahl)\b"),
    ("largest", r"\b(?:the (?:highest|maximum)|maximum of)\b"),
    ("smallest", r"\b(?:the (?:lowest|minimum)|minimum of)\b"),
    ("total", r"\b(?:totals?|sums?|add(?:s|ed)? up|how much|altogether|summe\w*)\b"),
)
_BY = re.compile(
    r"\b(?:by|per|for each|for every|each|every|in each|pro|nach|je)\s+(?:the |calendar "
    r")?(?P<by>[^\W\d_]+(?: [^\W\d_]+)?)",
    re.I,
)
_TOP = re.compile(
    rf"\b(?:top|(?:the )?(?P<n1>{NUMBER}))\s*(?P<n2>{NUMBER})?\s*(?:biggest|largest|highest|"
    rf"most expensive|top)?\b",
    re.I,
)
_LARGEST = re.compile(r"\b(?:top|biggest|largest|highest|most expensive)\b", re.IGNORECASE)
_FLAG = re.compile(
    r"\b(?:above|over|more than|exceed(?:s|ing)?|larger than|greater than|higher than)\s+(?:€|"
    r"£|\$|EUR )?\s?(\d{1,9}(?:[.,]\d{1,2})?)",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(?:missing|wrong|invalid|broken|unreadable|cannot be read|not a number|no valid|bad|"
    r"faulty|incomplete|empty|fehlerhaft\w*)\b",
    re.IGNORECASE,
)
_ROWS = re.compile(
    r"\b(?:rows?|lines?|entr(?:y|ies)|records?|amounts?|dates?|zeilen?)\b", re.IGNORECASE
)
_DUPLICATE = re.compile(r"\b(?:duplicat\w+|twice|more than once|doppelt\w*)\b", re.IGNORECASE)
_CASE = re.compile(r"\b(?:upper|lower|case|capital)\b", re.IGNORECASE)
_TRIM = re.compile(r"\b(?:spaces?|white ?space|blanks?|trim\w*|leerzeichen)\b", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\b(?:semicolons?|separated (?:by|with)|separators?|tabs|commas? or)\b", re.IGNORECASE
)
_DATES = re.compile(
    r"\b\d{2}[./]\d{2}[./]\d{4}|\bdate formats?\b|\bDD\.MM\.YYYY|\bformats? of (?:the )?dates?\b",
    re.IGNORECASE,
)
_DECIMAL = re.compile(r"\bdecimal comma|\b\d{1,3}(?:\.\d{3})*,\d{2}\b", re.IGNORECASE)
_WRITE = re.compile(
    r"\b(?:write|written|save|saved|output|store)\b[^.]{0,60}\bfile\b|\bto a file\b", re.IGNORECASE
)
_CLEAN = re.compile(
    r"\b(?:clean(?:ed)?|corrected|good rows|tidy|tidied|new csv|bereinigt\w*)\b", re.IGNORECASE
)
_PERIOD = re.compile(
    r"\b(?:only|choose|select|restrict|limit|pick|narrow|filter\w*|single|given|certain|particular|one)\b",
    re.IGNORECASE,
)
_READ = re.compile(
    r"\b(?:read|reads|load|open|take|takes|import|give|feed|einlesen|liest)\b", re.IGNORECASE
)
_RANGE = re.compile(r"\bfrom\b.{1,40}\bto\b|\bbetween\b|\bdate range|\bperiod\b", re.IGNORECASE)


def speaks_of_tables(statement: str) -> bool:
    """Whether the statement says something about rows, columns or a file with them."""
    return bool(_INPUT.search(statement))


def columns_in(statement: str) -> tuple[tuple[str, str], ...]:
    """The columns that the statement lists, with their types."""
    match = _COLUMNS.search(statement)
    if not match:
        return ()
    ideas = field_ideas(match["after"] or match["german"])
    return tuple((idea.name, _type(idea.name)) for idea in ideas) if len(ideas) > 1 else ()


def _type(name: str) -> str:
    known = type_of(name)
    return {"integer": "number", "decimal": "number", "date": "date"}.get(known, "text")


def demands_in(statement: str, columns: tuple[tuple[str, str], ...]) -> tuple[Demand, ...]:
    """What the statement wants of a table with these columns."""
    if listed := columns_in(statement):
        return (Demand("columns", fields=tuple(name for name, _ in listed)),)
    for kind, found in _shape(statement):
        if found:
            return (Demand(kind),)
    numbers = [name for name, kind in columns if kind == "number"]
    if demand := _selected(statement, columns, numbers):
        return (demand,)
    if (sections := _sections(statement, columns, numbers)) or not _PERIOD.search(statement):
        return sections or _last(statement)
    return _filters(statement, columns) or _last(statement)


def _shape(statement: str) -> list[tuple[str, bool]]:
    has = {
        "duplicates": _DUPLICATE.search(statement),
        "case": _CASE.search(statement)
        and re.search(r"same|equal|regardless|ignor|matter|differ", statement, re.I),
        "trim": _TRIM.search(statement),
        "decimal": _DECIMAL.search(statement),
        "dates": _DATES.search(statement),
        "separator": _SEPARATOR.search(statement),
        "bad": _BAD.search(statement) and _ROWS.search(statement),
        "clean": _CLEAN.search(statement)
        and re.search(r"writ|sav|output|file|produc", statement, re.I),
        "write": _WRITE.search(statement),
    }
    return [(kind, bool(found)) for kind, found in has.items()]


def _last(statement: str) -> tuple[Demand, ...]:
    if _READ.search(statement) and _INPUT.search(statement):
        return (Demand("read"),)
    return ()


def _selected(
    statement: str, columns: tuple[tuple[str, str], ...], numbers: list[str]
) -> Demand | None:
    if not numbers:
        return None
    column = next((name for name in _named(statement, columns) if name in numbers), numbers[0])
    if _LARGEST.search(statement) and (match := _TOP.search(statement)):
        said = match["n2"] or match["n1"] or ""
        count = whole(said)
        if count and "first" not in statement.lower():
            return Demand("top", fields=(column,), number=count)
    if match := _FLAG.search(statement):
        return Demand("flag", fields=(column,), text=match[1].replace(",", "."))
    return None


def _sections(
    statement: str, columns: tuple[tuple[str, str], ...], numbers: list[str]
) -> tuple[Demand, ...]:
    figure = next(
        (name for name, pattern in _FIGURES if re.search(pattern, statement, re.IGNORECASE)), ""
    )
    if not figure or (figure != "count" and not numbers):
        return ()
    named = [name for name in _named(statement, columns) if name in numbers]
    column = "" if figure == "count" else (named or numbers)[0]
    groups = _groups(statement, columns)
    if groups is None:
        return ()
    first = (
        "largest first"
        if re.search(r"(?:largest|biggest|highest|most) first|descending", statement, re.I)
        else ""
    )
    return tuple(Demand("section", figure, (column, by), text=first) for by in groups)


def _groups(statement: str, columns: tuple[tuple[str, str], ...]) -> list[str] | None:
    """What figures are grouped by: [''] if by nothing, None if by something unknown."""
    said = [match["by"].lower() for match in _BY.finditer(statement)]
    if not said:
        return [""]
    has_date = any(kind == "date" for _, kind in columns)
    texts = {stem(name): name for name, kind in columns if kind == "text"}
    groups = []
    for words in said:
        for word in (identifier(words), *words.split()):
            if word in ("month", "year", "monat", "jahr") and has_date:
                groups.append({"monat": "month", "jahr": "year"}.get(word, word))
            elif stem(word) in texts:
                groups.append(texts[stem(word)])
    return list(dict.fromkeys(groups)) or None


def _filters(statement: str, columns: tuple[tuple[str, str], ...]) -> tuple[Demand, ...]:
    found = []
    if any(kind == "date" for _, kind in columns):
        if re.search(r"\b(?:month|monat)\b", statement, re.IGNORECASE):
            found.append(Demand("month"))
        if _RANGE.search(statement):
            found.append(Demand("period"))
    texts = [name for name, kind in columns if kind == "text"]
    found += [
        Demand("only", fields=(name,)) for name in _named(statement, columns) if name in texts
    ][:2]
    return tuple(found)


def _named(statement: str, columns: tuple[tuple[str, str], ...]) -> list[str]:
    spoken = {stem(word) for word in re.findall(r"[^\W\d_]+", statement)}
    return [name for name, _ in columns if all(stem(part) in spoken for part in name.split("_"))]
