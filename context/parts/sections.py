"""Contents in sections, which give back the whole."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from zlib import crc32

from context.artifact_types import ArtifactType, artifact_types
from context.enums import Granularity, SectionKind
from context.parts.headings import TITLE_MAX_CHARACTERS, Passage, slug, split_markdown


def estimate_tokens(text: str) -> int:
    """About how many tokens a model makes of it: four ASCII characters, or one other, for each."""
    if text.isascii():
        return -(-len(text) // 4)
    others = len(text) - len(text.encode("ascii", "ignore"))
    return -(-(len(text) - others) // 4) + others


PIECE_MIN_CHARACTERS = 1_500
PIECE_MAX_CHARACTERS = 6_000
# Of the lines after which a cut is allowed, one in so many has it.
LINES_TO_A_CUT = 16

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def cut(text: str) -> list[str]:
    """Pieces of at most PIECE_MAX_CHARACTERS; together they are the text."""
    if len(text) <= PIECE_MAX_CHARACTERS:
        return [text]
    pieces, piece = [], ""
    for whole_line in _LINE.findall(text):
        for start in range(0, len(whole_line), PIECE_MAX_CHARACTERS):
            line = whole_line[start : start + PIECE_MAX_CHARACTERS]
            if len(piece) + len(line) > PIECE_MAX_CHARACTERS:
                pieces.append(piece)
                piece = ""
            piece += line
            # The line itself says whether a cut follows it, so an edit moves no other cut.
            is_cut = crc32(line.encode(errors="surrogatepass")) % LINES_TO_A_CUT == 0
            if is_cut and len(piece) >= PIECE_MIN_CHARACTERS:
                pieces.append(piece)
                piece = ""
    return [*pieces, piece] if piece else pieces


Content = dict[str, Any]

# Short fields stay together in the outline.
OUTLINE_FIELD_MAX_CHARACTERS = 400
# A longer list has a section for each of its items.
LIST_MAX_CHARACTERS = 3_000
LIST_MAX_ITEMS = 500


@dataclass(frozen=True)
class SectionPart:
    """One part of a content.

    `pointer` (RFC 6901) says where in the content it belongs; parts that follow each other with the
    same pointer are one text. `path` names it for people and stays when others come and go.
    """

    pointer: str
    path: str
    title: str
    kind: SectionKind
    text: str


def split_content(
    artifact_type: str, content: Content, granularity: str = Granularity.DOCUMENT
) -> list[SectionPart]:
    """The parts in order; `join_sections` makes the content of them again.

    The first is the outline: the content with null where the other parts belong. What was handed
    in as a single section or concept is not cut at its headings.
    """
    pieces = [
        replace(part, text=text)
        for part in _whole_parts(artifact_type, content, granularity)
        for text in cut(part.text)
    ]
    return list(_named_once(pieces))


def whole_sections(
    artifact_type: str, content: Content, granularity: str = Granularity.DOCUMENT
) -> list[SectionPart]:
    """The same for comparing, with long texts in one piece."""
    return list(_named_once(_whole_parts(artifact_type, content, granularity)))


def _whole_parts(artifact_type: str, content: Content, granularity: str) -> list[SectionPart]:
    type_ = artifact_types.get(artifact_type) or ArtifactType()
    outline, parts = dict(content), []
    for key in sorted(content):
        outline[key], sections = _split_field(type_, key, content[key], granularity)
        parts += sections
    first = SectionPart("", "outline", "Outline", SectionKind.OUTLINE, as_lines(outline))
    return [first, *parts]


def _split_field(
    artifact_type: ArtifactType, key: str, value: Any, granularity: str
) -> tuple[Any, list[SectionPart]]:
    """What stays in the outline, and the parts that are taken out."""
    if value and isinstance(value, str) and key in artifact_type.markdown_fields:
        is_whole = granularity != Granularity.DOCUMENT
        passages = [Passage((), "", value)] if is_whole else split_markdown(value)
        return None, [
            SectionPart(
                pointer(key),
                "/".join((key, *passage.names)),
                passage.title or heading(key),
                SectionKind.MARKDOWN,
                passage.text,
            )
            for passage in passages
        ]
    if isinstance(value, str):
        if len(value) <= OUTLINE_FIELD_MAX_CHARACTERS:
            return value, []
        return None, [SectionPart(pointer(key), key, heading(key), SectionKind.TEXT, value)]
    if key == artifact_type.source_files_field and _are_files(value):
        return _split_files(value)
    if not isinstance(value, dict | list) or not value:
        return value, []
    text = as_lines(value)
    if len(text) <= OUTLINE_FIELD_MAX_CHARACTERS:
        return value, []
    is_list = isinstance(value, list) and len(value) <= LIST_MAX_ITEMS
    is_list = is_list and all(isinstance(item, dict) for item in value)
    if is_list and len(text) > LIST_MAX_CHARACTERS:
        return [None] * len(value), list(_items(key, value))
    return None, [SectionPart(pointer(key), key, heading(key), SectionKind.FIELDS, text)]


def is_file(value: Any) -> bool:
    """Whether it is a source file, with path and content as text."""
    names = ("path", "content")
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_file, value))


def program_files(content: Content) -> list[Content]:
    """The files of a program, each with path and content as text; none if they are not so."""
    files = content.get("files")
    return files if _are_files(files) else []


def _split_files(files: list[Content]) -> tuple[list[Content], list[SectionPart]]:
    outline = [file | {"content": None} if file["content"] else file for file in files]
    parts = [
        SectionPart(
            pointer("files", number, "content"),
            f"files/{file['path']}",
            file["path"],
            SectionKind.CODE,
            file["content"],
        )
        for number, file in enumerate(files)
        if file["content"]
    ]
    return outline, parts


def _items(key: str, items: list[Content]) -> Iterator[SectionPart]:
    for number, item in enumerate(items):
        name = item_name(item)
        path = f"{key}/{slug(name) if name else number + 1}"
        title = item_title(item) or f"{heading(key)} {number + 1}"
        yield SectionPart(pointer(key, number), path, title, SectionKind.FIELDS, as_lines(item))


def item_name(item: Content) -> str:
    """The name of an item of a list, which stays when others come and go."""
    names = (item.get(field) for field in ("id", "name", "title", "requirement", "path"))
    return next((name for name in names if isinstance(name, str) and name), "")


def item_title(item: Content) -> str:
    names = (item.get(field) for field in ("id", "name", "title", "requirement", "path"))
    return " ".join(name for name in names if isinstance(name, str) and name)[:TITLE_MAX_CHARACTERS]


def heading(key: str) -> str:
    return key.replace("_", " ").capitalize()[:TITLE_MAX_CHARACTERS]


def pointer(*names: str | int) -> str:
    """A JSON pointer, RFC 6901."""
    return "".join(f"/{str(name).replace('~', '~0').replace('/', '~1')}" for name in names)


def as_lines(value: Any) -> str:
    """JSON with one line for each member: to be read, compared and cut by lines."""
    if isinstance(value, dict):
        rows = [f"{_json(key)}: {_json(value[key])}" for key in sorted(value)]
        return "{\n" + ",\n".join(rows) + "\n}" if rows else "{}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(_json, value)) + "\n]" if value else "[]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _named_once(parts: list[SectionPart]) -> Iterator[SectionPart]:
    """The second of the same path has `~2` behind it, and so on."""
    paths: set[str] = set()
    counts: dict[str, int] = {}
    for part in parts:
        path = part.path
        while path in paths:
            counts[part.path] = counts.get(part.path, 1) + 1
            path = f"{part.path}~{counts[part.path]}"
        paths.add(path)
        yield SectionPart(part.pointer, path, part.title, part.kind, part.text)


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
