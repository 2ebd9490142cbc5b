"""Every route of the API, from the URL conf, so that a new one cannot be forgotten."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver

METHODS = ("get", "post", "put", "patch", "delete")
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


def api_routes() -> Iterator[tuple[str, list[str], list[str]]]:
    """Path template, names in it, methods; those under /api/v1/."""
    for route, view in _walk("", get_resolver().url_patterns):
        if not route.startswith("api/v1/"):
            continue
        yield f"/{route}", PLACE.findall(route), [m for m in METHODS if m in _methods(view)]


def _walk(prefix: str, patterns: list[Any]) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + _plain(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield route, pattern.callback
        elif not route.startswith("admin/"):
            yield from _walk(route, pattern.url_patterns)


def _plain(route: str) -> str:
    """A regular expression's named groups as `<name>`."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
    return route.lstrip("^").rstrip("$").replace("\\Z", "").replace("/?", "/")


def _methods(view: Any) -> set[str]:
    if hasattr(view, "actions"):
        return set(view.actions)
    if not hasattr(view, "cls"):
        return {"get"}
    return {method for method in METHODS if hasattr(view.cls, method)}


def fill(route: str, values: dict[str, Any]) -> str:
    return PLACE.sub(lambda place: str(values[place.group(1)]), route)
