"""Query parameters: a misspelled name, or a repeated one, is refused.

A misspelled filter would show everything, and look like an answer. Names that resemble none of ours
are ignored, as everywhere on the web: clients add some for others.
"""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer

from core.errors import InvalidInput
from core.serializers import faults_of

# Whether the answer is a page or JSON: any route takes it.
ALWAYS = {"format"}
# From 0 to 1 for the same name.
MISSPELLED_FROM = 0.75
Query = type[Serializer] | Iterable[str]


class CheckedQuery:
    """For DRF views. `queries` says what an action, or a method of a plain view, may be asked."""

    queries: dict[str, Query] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            check_query(request, ALWAYS | self.known_names(request))

    def known_names(self, request: Request) -> set[str]:
        method = "get" if request.method == "HEAD" else request.method.lower()
        return names_of(self.queries.get(getattr(self, "action", method), ()))


def names_of(query: Query) -> set[str]:
    return set(query().fields) if isinstance(query, type) else set(query)


def check_query(request: Any, known: set[str]) -> None:
    """Raises InvalidInput with every name at fault."""
    query = getattr(request, "query_params", request.GET)
    faults = [fault for name, sent in query.lists() for fault in _faults(name, sent, known)]
    if faults:
        detail = "; ".join(f"{fault['field']}: {fault['detail']}" for fault in faults[:3])
        raise InvalidInput("invalid", detail, errors=faults)


def _faults(name: str, sent: list[str], known: set[str]) -> Iterator[dict[str, str]]:
    if name in known:
        for fault in faults_of(sent):
            yield {"field": name, "code": fault.code, "detail": str(fault)}
    elif meant := get_close_matches(name, sorted(known), n=1, cutoff=MISSPELLED_FROM):
        listed = ", ".join(sorted(known))
        detail = f"Unknown parameter. Did you mean {meant[0]}? Known here: {listed}."
        yield {"field": name, "code": "unknown_field", "detail": detail}
