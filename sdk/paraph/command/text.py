"""What others have written, as a person may read it on a terminal; and what a person writes."""

import json
import unicodedata
from pathlib import Path
from typing import Any

from paraph.errors import ParaphError

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
#: Letters and marks that are seen as nothing.
BLANK = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}


def escaped(value: Any) -> str:
    """Nothing in it turns the text, hides in it or commands the terminal: `‹U+202E›`."""
    return "".join(
        f"‹U+{ord(letter):04X}›"
        if letter != "\n" and (letter in BLANK or unicodedata.category(letter) in INVISIBLE)
        else letter
        for letter in str(value)
    )


def line(value: Any) -> str:
    """On one line, whatever it is."""
    return escaped(value).replace("\n", "⏎")


def as_json(value: Any) -> str:
    return escaped(json.dumps(value, indent=2, ensure_ascii=False))


def parse_pairs(pairs: list[str]) -> dict[str, Any]:
    """`name=text` and `name:=json`."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name.rstrip(":"):
            raise ParaphError(f"{pair!r} is no argument: write name=text, or name:=JSON.")
        if name.endswith(":"):
            values[name[:-1]] = parse_json(text, f"the value of {name[:-1]}")
        else:
            values[name] = text
    return values


def parse_json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ParaphError(f"{what} is no JSON: {error}") from error


def read_text(path: str) -> str:
    """Of a file, or of standard input for `-`."""
    try:
        return Path("/dev/stdin" if path == "-" else path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ParaphError(f"{path} cannot be read: {error}") from error
