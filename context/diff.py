"""The difference between two contents: for people by files and lines, for programs by fields."""

import difflib
from collections.abc import Iterator
from typing import Any

from context.rendering import as_files
from context.words import Change

# Comparing lines takes quadratic time at worst; beyond this only the fact of a change is told.
MAX_LINES = 8_000
MAX_CHANGES = 500

Content = dict[str, Any]


def diff_contents(artifact_type: str, old: Content, new: Content) -> dict[str, Any]:
    """`files` with unified diffs, `changes` by path; `is_complete`: nothing was cut short."""
    files = list(_diff_files(_readable(artifact_type, old), _readable(artifact_type, new)))
    changes = list(_changes("", old, new))
    is_complete = len(changes) <= MAX_CHANGES and all(f["unified"] is not None for f in files)
    return {
        "is_equal": old == new,
        "files": files,
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
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > MAX_LINES:
        return None
    return "\n".join(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm=""))


def _changes(path: str, old: Any, new: Any) -> Iterator[dict[str, Any]]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _member(f"{path}.{key}" if path else key, key, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(path, old, new)
    else:
        yield {"path": path, "change": str(Change.CHANGED), "old": old, "new": new}


def _member(path: str, key: str, old: Content, new: Content) -> Iterator[dict[str, Any]]:
    if key not in old:
        yield {"path": path, "change": str(Change.ADDED), "old": None, "new": new[key]}
    elif key not in new:
        yield {"path": path, "change": str(Change.REMOVED), "old": old[key], "new": None}
    else:
        yield from _changes(path, old[key], new[key])


def _items(path: str, old: list[Any], new: list[Any]) -> Iterator[dict[str, Any]]:
    for index in range(max(len(old), len(new))):
        place = f"{path}.{index}"
        if index >= len(old):
            yield {"path": place, "change": str(Change.ADDED), "old": None, "new": new[index]}
        elif index >= len(new):
            yield {"path": place, "change": str(Change.REMOVED), "old": old[index], "new": None}
        else:
            yield from _changes(place, old[index], new[index])
