"""The difference between two contents: by files and sections to read, by fields to apply."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

from context.changes import changes_between
from context.enums import Change
from context.parts.splitter import whole_sections
from context.rendering import as_files

# Comparing lines takes quadratic time at worst; beyond this only the fact of a change is told.
MAX_LINES = 8_000
MAX_CHANGES = 500
NO_LINE_FEED = "\n\\ No newline at end of file\n"

Content = dict[str, Any]


def diff_contents(artifact_type: str, old: Content, new: Content) -> dict[str, Any]:
    """`files` and `sections` with unified diffs, `changes` by path.

    `is_complete`: nothing was cut short, so that `apply_changes` makes the newer of the older one.
    """
    files = list(_diff_files(_readable(artifact_type, old), _readable(artifact_type, new)))
    sections = list(_diff_sections(artifact_type, old, new))
    changes = list(changes_between(old, new))
    is_complete = len(changes) <= MAX_CHANGES and all(
        one["unified"] is not None for one in (*files, *sections)
    )
    return {
        "is_equal": not changes,
        "files": files,
        "sections": sections,
        "changes": changes[:MAX_CHANGES],
        "is_complete": is_complete,
    }


def _readable(artifact_type: str, content: Content) -> dict[str, str]:
    """Files as text, without the JSON: `changes` says the same, field by field."""
    return {
        path: text if isinstance(text, str) else text.decode(errors="replace")
        for path, text in as_files(artifact_type, content).items()
        if path != f"{artifact_type}.json"
    }


def _diff_files(old: dict[str, str], new: dict[str, str]) -> Iterator[dict[str, Any]]:
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        status = _fate(path, old, new)
        unified = _unified(path, old.get(path, ""), new.get(path, ""))
        yield {"path": path, "status": status, "unified": unified}


def _fate(key: str, old: dict, new: dict) -> str:
    if key not in old:
        return str(Change.ADDED)
    return str(Change.CHANGED if key in new else Change.REMOVED)


def _unified(path: str, old: str, new: str) -> str | None:
    """As `patch` takes it, so that only a line feed ends a line."""
    before, after = _lines(old), _lines(new)
    if max(len(before), len(after)) > MAX_LINES:
        return None
    lines = difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else line + NO_LINE_FEED for line in lines)


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _diff_sections(artifact_type: str, old: Content, new: Content) -> Iterator[dict[str, Any]]:
    """By section, in the order of the newer version; those that are gone at the end."""
    before = {part.path: part for part in whole_sections(artifact_type, old)}
    after = {part.path: part for part in whole_sections(artifact_type, new)}
    for path in [*after, *(path for path in before if path not in after)]:
        one, other = before.get(path), after.get(path)
        if one and other and one.text == other.text:
            continue
        part = other or one
        yield {
            "path": path,
            "title": part.title,
            "kind": str(part.kind),
            "status": _fate(path, before, after),
            "unified": _unified(path, one.text if one else "", other.text if other else ""),
        }
