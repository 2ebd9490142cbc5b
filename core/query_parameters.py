"""Query parameters: a misspelled name, or a repeated one, is refused.

A misspelled filter would show everything, and look like an answer. Names that resemble none of ours
are ignored, as everywhere on the web: clients add some for others.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer

from core.errors import InvalidInput
from core.serializers import faults_of

# Whether the answer is a page or JSON; any route takes it.
COMMON_NAMES = {"format"}
# From 0 to 1, which is the same name.
MISSPELLED_SIMILARITY = 0.75
# Without a value they would be left out, and the answer would be wider than what was meant. But a
# page's form of filters sends all of its fields.
NEVER_EMPTY = {"project", "task", "hitl_request"}
Query = type[Serializer] | Iterable[str]


class CheckedQuery:
    """For DRF views. `queries` has the parameters of each action, or method of a plain view."""

    queries: dict[str, Query] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            check_query(request, COMMON_NAMES | self.known_names(request))

    def known_names(self, request: Request) -> set[str]:
        method = "get" if request.method == "HEAD" else request.method.lower()
        return names_of(self.queries.get(getattr(self, "action", method), ()))


def names_of(query: Query) -> set[str]:
    return set(query().fields) if isinstance(query, type) else set(query)


def check_query(request: Any, names: set[str]) -> None:
    """Raises InvalidInput with every parameter at fault."""
    errors = []
    renderer = getattr(request, "accepted_renderer", None)
    never_empty = set() if renderer and renderer.format == "api" else NEVER_EMPTY
    for name, values in getattr(request, "query_params", request.GET).lists():
        if name in names:
            errors += [
                {"field": name, "code": fault.code, "detail": str(fault)}
                for fault in faults_of(values)
            ]
            if name in never_empty and not all(value.strip() for value in values):
                detail = "Empty. Send an id, or leave the parameter out."
                errors.append({"field": name, "code": "blank", "detail": detail})
        elif similar := get_close_matches(name, sorted(names), n=1, cutoff=MISSPELLED_SIMILARITY):
            known = ", ".join(sorted(names))
            detail = f"Unknown parameter. Did you mean {similar[0]}? Known here: {known}."
            errors.append({"field": name, "code": "unknown_field", "detail": detail})
    if errors:
        detail = "; ".join(f"{error['field']}: {error['detail']}" for error in errors[:3])
        raise InvalidInput("invalid", detail, errors=errors)
