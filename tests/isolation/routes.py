"""Every route from the URL conf, every id that one can send from the description of the API."""

import functools
import operator
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from django.urls import URLPattern, get_resolver
from drf_spectacular.generators import SchemaGenerator

from tests.isolation.things import Things

PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")


class Route(NamedTuple):
    path: str
    view: Any

    @property
    def places(self) -> list[str]:
        return PLACE.findall(self.path)

    @property
    def methods(self) -> list[str]:
        """Those that it answers; a plain view is asked by GET."""
        handlers = getattr(self.view, "actions", None) or vars_of(self.view)
        return [m for m in METHODS if m in handlers or (m == "head" and "get" in handlers)]

    def filled(self, things: Things) -> str:
        return PLACE.sub(lambda place: str(self.value(place[1], things)), self.path)

    def value(self, place: str, things: Things) -> Any:
        if place == "pk":
            return things.id_of(self.view.cls.queryset.model)
        return things.named(place)

    @property
    def described(self) -> str:
        """The path as the description of the API writes it, with places that have no name."""
        return PLACE.sub("{}", self.path)


def vars_of(view: Any) -> set[str]:
    if hasattr(view, "cls"):
        return {method for method in METHODS if hasattr(view.cls, method)}
    return {"get"}


@cache
def routes() -> list[Route]:
    return list(walk("/", get_resolver().url_patterns))


def walk(prefix: str, patterns: list[Any]) -> Iterator[Route]:
    for pattern in patterns:
        path = prefix + plain(str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield Route(path, pattern.callback)
        elif not path.startswith("/admin/"):
            yield from walk(path, pattern.url_patterns)


def plain(route: str) -> str:
    """A regular expression's named groups as `<name>`."""
    route = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
    return route.lstrip("^").rstrip("$").replace("\\Z", "").replace("/?", "/").replace("\\.", ".")


class Operation(NamedTuple):
    path: str
    method: str
    about: dict[str, Any]

    @property
    def route(self) -> Route:
        wanted = re.sub(r"\{\w+\}", "{}", self.path)
        return next(route for route in routes() if route.described == wanted)

    def ids_in_query(self) -> list[str]:
        return [p["name"] for p in self.parameters() if p["schema"].get("format") == "uuid"]

    def parameters(self) -> list[dict[str, Any]]:
        return [p for p in self.about.get("parameters", []) if p["in"] == "query"]

    def needed_query(self, things: Things) -> dict[str, str]:
        needed = [p["name"] for p in self.parameters() if p.get("required")]
        return {name: str(things.named(name)) for name in needed}

    def body(self, things: Things) -> Any:
        """The smallest body of the described form, with every id that it can hold."""
        schema = self.body_schema()
        return example(schema, "", things) if schema else None

    def body_schema(self) -> dict[str, Any] | None:
        content = self.about.get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")

    def ids_in_body(self) -> set[str]:
        return set(id_names(self.body_schema(), "")) if self.body_schema() else set()


@cache
def description() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def operations() -> list[Operation]:
    return [
        Operation(path, method, about)
        for path, methods in description()["paths"].items()
        for method, about in methods.items()
        if method in METHODS
    ]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """With what it refers to, all that it is made of, and the first of what it may be."""
    if "$ref" in schema:
        return resolved(description()["components"]["schemas"][schema["$ref"].split("/")[-1]])
    forms = (schema.get("oneOf") or schema.get("anyOf") or [])[:1]
    parts = [resolved(part) for part in (*schema.get("allOf", ()), *forms)]
    whole = {name: value for part in (*parts, schema) for name, value in part.items()}
    for name, empty in (("properties", {}), ("required", [])):
        values = [part[name] for part in (*parts, schema) if name in part]
        whole[name] = functools.reduce(operator.add if empty == [] else operator.or_, values, empty)
    if isinstance(whole.get("type"), list):
        whole["type"] = next(kind for kind in whole["type"] if kind != "null")
    return whole


def id_names(schema: dict[str, Any], name: str) -> Iterator[str]:
    schema = resolved(schema)
    if schema.get("format") == "uuid":
        yield name
    if schema.get("type") == "array":
        yield from id_names(schema["items"], name)
    for key, part in schema.get("properties", {}).items():
        yield from id_names(part, key)


def example(schema: dict[str, Any], name: str, things: Things) -> Any:
    schema = resolved(schema)
    if schema.get("format") == "uuid":
        return str(things.named(name))
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        needed, parts = set(schema.get("required", [])), schema.get("properties", {})
        return {
            key: example(part, key, things)
            for key, part in parts.items()
            if key in needed or list(id_names(part, key))
        }
    if kind == "array":
        return [example(schema["items"], name, things)]
    return {"string": "text", "boolean": True, "integer": 1, "number": 1}.get(kind, {})
