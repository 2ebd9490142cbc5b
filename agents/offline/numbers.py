"""Numbers as people write them."""

import re

_WORDS = {
    word: number
    for number, pair in enumerate(
        "zero/null one/eins two/zwei three/drei four/vier five/fünf six/sechs seven/sieben "
        "eight/acht "
        "nine/neun ten/zehn eleven/elf twelve/zwölf thirteen/dreizehn fourteen/vierzehn "
        "fifteen/fünfzehn "
        "sixteen/sechzehn seventeen/siebzehn eighteen/achtzehn nineteen/neunzehn "
        "twenty/zwanzig".split()
    )
    for word in pair.split("/")
} | {
    "dozen": 12,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "hundred": 100,
    "a": 1,
    "an": 1,
}
NUMBER = (
    r"(?:\d{1,9}(?:[.,]\d{1,2})?|"
    + "|".join(sorted((w for w in _WORDS if w not in ("a", "an")), key=len, reverse=True))
    + ")"
)
_DAYS = {"day": 1, "tag": 1, "week": 7, "woche": 7, "month": 30, "monat": 30, "year": 365}
_PERIOD = re.compile(
    rf"\b({NUMBER}|an?|eine?)[ -](day|week|month|year|tag|woche|monat)", re.IGNORECASE
)
_AT_MOST = re.compile(
    r"\b(?:at most|at the most|no more than|not more than|more than|up to|maximum of|maximum|"
    r"limit of|"
    rf"limited to|max\.?|höchstens|maximal)\s+({NUMBER})\b\s*([^\W\d_]+)?",
    re.IGNORECASE,
)
_RANGE = re.compile(
    rf"\b(?:from|between|von|zwischen)\s+({NUMBER})\s+(?:to|and|bis|und)\s+({NUMBER})\b",
    re.IGNORECASE,
)


def whole(text: str) -> int | None:
    """The whole number that the text is, or None."""
    if text.isdigit():
        return int(text)
    return _WORDS.get(text.lower())


def days_in(statement: str) -> int | None:
    """The length of a period such as "two weeks", in days."""
    match = _PERIOD.search(statement)
    if not match:
        return None
    count = 1 if match[1].lower() in ("eine", "ein") else whole(match[1])
    if match[1].lower() in ("a", "an") and match[2].lower() in ("day", "year"):
        return None
    return None if count is None else count * _DAYS[match[2].lower()]


def at_most(statement: str) -> tuple[int, str] | None:
    """The limit in "at most five books" as (5, "books")."""
    match = _AT_MOST.search(statement)
    number = whole(match[1]) if match else None
    return None if number is None else (number, (match[2] or "").lower())


def span_of(statement: str) -> tuple[int, int] | None:
    """The ends of "from 1 to 5"."""
    match = _RANGE.search(statement)
    ends = (whole(match[1]), whole(match[2])) if match else (None, None)
    return None if None in ends or ends[0] >= ends[1] else ends
