"""What differs between two JSON values, place by place, and the way from one to the other."""

import json
from collections.abc import Iterator
from typing import Any

from context.enums import Change
from context.parts.join import place_of
from context.parts.splitter import pointer


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


def _member(old: Any, new: Any, was: bool, stays: bool, key: Any, *names: str | int):
    if was and stays:
        yield from changes_between(old[key], new[key], *names)
    elif stays:
        yield _change(Change.ADDED, None, new[key], names)
    else:
        yield _change(Change.REMOVED, old[key], None, names)


def _change(change: Change, old: Any, new: Any, names: tuple[str | int, ...]) -> dict[str, Any]:
    """`path` is for people; a name in it may hold dots, so `pointer` (RFC 6901) is for programs."""
    path = ".".join(map(str, names))
    return {"path": path, "pointer": pointer(*names), "change": str(change), "old": old, "new": new}


def apply_changes(old: Any, changes: list[dict[str, Any]]) -> Any:
    """The newer value, of the older one and all changes between them."""
    value = json.loads(json.dumps(old))
    removed = [change for change in changes if change["change"] == Change.REMOVED]
    for change in changes:
        if not change["pointer"]:
            return change["new"]
        if change["change"] != Change.REMOVED:
            _put(*place_of(value, change["pointer"]), change["new"])
    # From the end of a list on, so that no other item moves before it goes.
    for change in reversed(removed):
        place, name = place_of(value, change["pointer"])
        del place[name]
    return value


def _put(place: Any, name: Any, value: Any) -> None:
    if isinstance(place, list) and name == len(place):
        place.append(value)
    else:
        place[name] = value
