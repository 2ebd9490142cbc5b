"""Two texts side by side, with the words that differ marked, for a page without scripts."""

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from context.parts.sections import program_files
from context.rendering import as_files, render_markdown
from core.text import visible

# Comparing lines takes quadratic time at worst.
MAX_LINES = 8_000
CONTEXT_LINES = 3
# Of a line that is compared word by word, and how alike two lines must be for that to help.
MAX_WORDS = 600
LEAST_ALIKE = 0.3
WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Words:
    """A piece of a line, and whether the other line lacks it."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Line:
    """A pair of lines. `kind`: same, changed, added, removed, or gap for `left_out` lines."""

    kind: str
    old_number: int | None = None
    old: str = ""
    new_number: int | None = None
    new: str = ""
    left_out: int = 0

    @cached_property
    def words(self) -> tuple[list[Words], list[Words]]:
        """Both lines in pieces; each is one piece where they have little in common."""
        if self.kind != "changed":
            return [Words(self.old, False)], [Words(self.new, False)]
        old, new = WORDS.findall(self.old), WORDS.findall(self.new)
        if max(len(old), len(new)) <= MAX_WORDS:
            matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
            if matcher.ratio() >= LEAST_ALIKE:
                codes = matcher.get_opcodes()
                return (
                    [
                        Words("".join(old[i:j]), tag != "equal")
                        for tag, i, j, _, _ in codes
                        if j > i
                    ],
                    [
                        Words("".join(new[i:j]), tag != "equal")
                        for tag, _, _, i, j in codes
                        if j > i
                    ],
                )
        return [Words(self.old, True)], [Words(self.new, True)]


@dataclass(frozen=True)
class ComparedFile:
    """`lines` is None where the file is too long to compare."""

    path: str
    status: str
    lines: list[Line] | None

    @property
    def changes(self) -> int:
        """How many lines differ."""
        return sum(line.kind not in {"same", "gap"} for line in self.lines or [])


def compare_contents(
    artifact_type: str, old: dict[str, Any], new: dict[str, Any]
) -> list[ComparedFile]:
    """By file, what differs between two contents of one type, as people read them."""
    before, after = _texts(artifact_type, old), _texts(artifact_type, new)
    if before == after and old != new:
        # Documents leave some blank space out, and that has changed.
        before, after = ({f"{artifact_type}.json": _as_json(content)} for content in (old, new))
    paths = sorted(before.keys() | after.keys())
    return [
        _compare(path, before.get(path), after.get(path))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True)


def _texts(artifact_type: str, content: dict[str, Any]) -> dict[str, str]:
    """The JSON says the same as the document; a program's document would repeat its files."""
    data = f"{artifact_type}.json"
    files = as_files(artifact_type, content)
    if artifact_type == "source_code" and program_files(content):
        files["source_code.md"] = render_markdown("source_code", content | {"files": []})
    return {
        path: text if isinstance(text, str) else text.decode(errors="replace")
        for path, text in files.items()
        if path != data
    }


def _compare(path: str, old: str | None, new: str | None) -> ComparedFile:
    status = "added" if old is None else "removed" if new is None else "changed"
    before, after = _split(old), _split(new)
    if max(len(before), len(after)) > MAX_LINES:
        return ComparedFile(path, status, None)
    return ComparedFile(path, status, list(_lines(before, after)))


def _split(text: str | None) -> list[str]:
    """Lines without their ends. What else counts as the end of a line in Unicode is shown in it."""
    lines = re.split(r"\r\n|\r|\n", text or "")
    return lines if lines[-1] else lines[:-1]


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    matcher = difflib.SequenceMatcher(None, old, new)
    shown = 0
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        if left_out := group[0][3] - shown:
            yield Line("gap", left_out=left_out)
        shown = group[-1][4]
        for tag, i1, i2, j1, j2 in group:
            yield from _block(tag, old[i1:i2], new[j1:j2], i1 + 1, j1 + 1)
    if left_out := len(new) - shown:
        yield Line("gap", left_out=left_out)


def _block(tag: str, old: list[str], new: list[str], first_old: int, first_new: int):
    for offset in range(max(len(old), len(new))):
        has_old, has_new = offset < len(old), offset < len(new)
        kind = "same" if tag == "equal" else "changed" if has_old and has_new else "added"
        yield Line(
            "removed" if has_old and not has_new else kind,
            first_old + offset if has_old else None,
            visible(old[offset]) if has_old else "",
            first_new + offset if has_new else None,
            visible(new[offset]) if has_new else "",
        )
