"""Text that somebody else wrote, as a person may read it."""

import hashlib
import json
import re
from collections.abc import Callable
from itertools import groupby


def is_storable(text: str) -> bool:
    """No column can hold null characters and lone surrogates.

    Surrogates come from JSON escapes, and from bytes on a command line that are not UTF-8.
    """
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


# Control and format characters, surrogates, what Unicode calls default ignorable, blank letters;
# line feeds, carriage returns and tabs are not in it.
INVISIBLE = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
_RUN = re.compile(f"[{INVISIBLE}]+")
# Emoji are held together by what is invisible elsewhere, and so are letters of some scripts.
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_JOINING = re.compile("[\u0620-\u06ff\u0750-\u077f\u08a0-\u08ff\u0900-\u0dff]")
_KEYCAP = "\u20e3"
# Beyond so many different ones in a row, the others are counted.
_MOST_NAMED = 16
# So much blank space only moves what follows out of sight.
_PADDING = re.compile("[ \t\u00a0\u2000-\u200a\u3000]{200,}")
_EMPTY_LINES = re.compile("\n(?:[ \t]*\r?\n){50,}")
_OVERWRITING = re.compile("\r(?!\n)")


def escaped(text: str, names: Callable[[str], str] | None = None) -> str:
    """Invisible characters as `‹U+202E›`: those that turn the direction of text, have no width,
    tag, vary or command a terminal. Line breaks and tabs stay, and what holds an emoji together.

    For what is shown. What is stored, hashed, run or sent as data stays as it is. `names`: what
    stands for a run of them, where their value must stay.
    """
    return _RUN.sub(lambda run: run[0] if _is_joining(run) else (names or _names)(run[0]), text)


def escaped_json(text: str) -> str:
    """JSON for a person to edit: in its own escapes, so that its value stays."""
    return escaped(text, lambda run: json.dumps(run)[1:-1])


def _is_joining(match: re.Match[str]) -> bool:
    run, before, after = match[0], match.start() - 1, match.end()
    left = match.string[before] if before >= 0 else ""
    right = match.string[after : after + 1]
    if run in {"\ufe0e", "\ufe0f"}:
        return bool(_EMOJI.match(left)) or right == _KEYCAP
    if run in {"\u200d", "\ufe0f\u200d"} and _EMOJI.match(left) and _EMOJI.match(right):
        return True
    return run in {"\u200c", "\u200d"} and bool(_JOINING.match(left) and _JOINING.match(right))


def _names(run: str) -> str:
    groups = [(letter, sum(1 for _ in group)) for letter, group in groupby(run)]
    names = [
        f"‹U+{ord(letter):04X}›" if number == 1 else f"‹U+{ord(letter):04X} ×{number:,}›"
        for letter, number in groups[:_MOST_NAMED]
    ]
    if more := sum(number for _, number in groups[_MOST_NAMED:]):
        # With a hash, so that different texts look different.
        names.append(f"‹{more:,} more invisible characters, SHA-256 {_hash(run)}›")
    return "".join(names)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def visible(text: str) -> str:
    """Escaped, with padding counted instead of shown: nothing in it hides, or hides the rest."""
    lines = _EMPTY_LINES.sub(_count_lines, _OVERWRITING.sub("‹U+000D›", str(text)))
    return escaped(_PADDING.sub(lambda run: f" {_names(run[0])} ", lines))


def _count_lines(run: re.Match[str]) -> str:
    number = run[0].count("\n") - 1
    blanks = "" if set(run[0]) == {"\n"} else f", SHA-256 {_hash(run[0])}"
    return f"\n‹{number:,} empty lines{blanks}›\n"


def one_line(text: str) -> str:
    return " ".join(visible(text).split())
