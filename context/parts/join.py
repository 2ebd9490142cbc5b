import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from context.enums import SectionKind

JSON_KINDS = {SectionKind.OUTLINE, SectionKind.FIELDS}


def join_sections(rows: Iterable[tuple[str, str, str]]) -> Any:
    """The content again, from (pointer, kind, text) of its sections in order."""
    content: Any = None
    for pointer, pieces in groupby(rows, key=lambda row: row[0]):
        same = list(pieces)
        text = "".join(text for _, _, text in same)
        value = json.loads(text) if same[0][1] in JSON_KINDS else text
        if not pointer:
            content = value
        else:
            place, name = place_of(content, pointer)
            place[name] = value
    return content


def place_of(content: Any, pointer: str) -> tuple[Any, str | int]:
    """The object or list that a JSON pointer leads into, and the key or index in it."""
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer[1:].split("/")]
    place = content
    for name in names[:-1]:
        place = place[int(name) if isinstance(place, list) else name]
    return place, int(names[-1]) if isinstance(place, list) else names[-1]
