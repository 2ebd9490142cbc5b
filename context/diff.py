"""What differs between two contents, for people and for programs."""

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from context.enums import Change
from context.parts.sections import place_of, pointer, whole_sections
from context.rendering import as_files


def changes_between(old: Any, new: Any, *names: str | int) -> Iterator[dict[str, Any]]:
    """In an order in which they can be applied. 1 is not true, and a missing field is not null."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _member(old, new, key in old, key in new, key, *names, key)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _member(old, new, index < len(old), index < len(new), index, *names, index)
    elif type(old) is not type(new) or old != new:
        yield _change(Change.CHANGED, old, new, names)


def _member(old: Any, new: Any, in_old: bool, in_new: bool, key: Any, *names: str | int):
    if in_old and in_new:
        yield from changes_between(old[key], new[key], *names)
    elif in_new:
        yield _change(Change.ADDED, None, new[key], names)
    else:
        yield _change(Change.REMOVED, old[key], None, names)


def _change(change: Change, old: Any, new: Any, names: tuple[str | int, ...]) -> dict[str, Any]:
    """`path` is for people; a name in it may hold dots, so `pointer` (RFC 6901) is for programs."""
    path = ".".join(map(str, names))
    return {"path": path, "pointer": pointer(*names), "change": str(change), "old": old, "new": new}


def apply_changes(old: Any, changes: list[dict[str, Any]]) -> Any:
    """The newer value, from the older one and all changes between them."""
    value = json.loads(json.dumps(old))
    removed = [change for change in changes if change["change"] == Change.REMOVED]
    for change in changes:
        if not change["pointer"]:
            return change["new"]
        if change["change"] != Change.REMOVED:
            place, name = place_of(value, change["pointer"])
            if isinstance(place, list) and name == len(place):
                place.append(change["new"])
            else:
                place[name] = change["new"]
    # From the end of a list on, so that no other item moves before it goes.
    for change in reversed(removed):
        place, name = place_of(value, change["pointer"])
        del place[name]
    return value


# Comparing lines takes quadratic time at worst; longer files are only reported as changed.
MAX_LINES = 8_000
MAX_CHANGES = 500
NO_LINE_FEED = "\n\\ No newline at end of file\n"

Content = dict[str, Any]


def diff_contents(artifact_type: str, old: Content, new: Content) -> dict[str, Any]:
    """`files` and `sections` with unified diffs, `changes` by path.

    `is_complete`: nothing was cut short, so `apply_changes` turns the older into the newer one.
    """
    before, after = _readable(artifact_type, old), _readable(artifact_type, new)
    files = [
        {
            "path": path,
            "status": _change_of(path, before, after),
            "unified": _unified(path, before.get(path, ""), after.get(path, "")),
        }
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]
    sections = list(section_diffs(artifact_type, old, new))
    changes = list(changes_between(old, new))
    is_complete = len(changes) <= MAX_CHANGES and all(
        part["unified"] is not None for part in (*files, *sections)
    )
    return {
        "is_equal": not changes,
        "files": files,
        "sections": sections,
        "changes": changes[:MAX_CHANGES],
        "is_complete": is_complete,
    }


def diff_versions(old: Any, new: Any) -> dict[str, Any]:
    """Two versions of an artifact, as the REST API compares them."""
    return {
        "artifact": str(new.artifact_id),
        "from": old.number,
        "to": new.number,
        "from_sha256": old.sha256,
        "to_sha256": new.sha256,
        **diff_contents(new.artifact.artifact_type, old.content, new.content),
    }


def _readable(artifact_type: str, content: Content) -> dict[str, str]:
    """Files as text, without the JSON: `changes` says the same, field by field."""
    return {
        path: text if isinstance(text, str) else text.decode(errors="replace")
        for path, text in as_files(artifact_type, content).items()
        if path != f"{artifact_type}.json"
    }


def _change_of(key: str, old: dict, new: dict) -> str:
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


def section_diffs(artifact_type: str, old: Content, new: Content) -> Iterator[dict[str, Any]]:
    """By section, in the order of the newer version; those that are gone at the end."""
    before = {part.path: part for part in whole_sections(artifact_type, old)}
    after = {part.path: part for part in whole_sections(artifact_type, new)}
    for path in [*after, *(path for path in before if path not in after)]:
        old_part, new_part = before.get(path), after.get(path)
        if old_part and new_part and old_part.text == new_part.text:
            continue
        part = new_part or old_part
        yield {
            "path": path,
            "title": part.title,
            "kind": str(part.kind),
            "status": _change_of(path, before, after),
            "unified": _unified(
                path, old_part.text if old_part else "", new_part.text if new_part else ""
            ),
        }
