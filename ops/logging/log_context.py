"""What log lines and metrics say of a request: its route, not its path, which may hold secrets."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

# Clients can send any method, and each would be a series of its own.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# The log field for `pk`, by the name of the route.
PK_FIELDS = {
    "project": "project",
    "task": "task",
    "artifact": "artifact",
    "hitl-request": "hitl_request",
}


def method_of(method: str | None) -> str:
    return method if method in METHODS else "other"


def route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.route if match else "none"


def facts_of(request: HttpRequest) -> dict[str, Any]:
    """The route, the object it is about, and the user."""
    facts: dict[str, Any] = {"route": route_of(request)}
    if (user := user_id_of(request)) is not None:
        facts["user"] = user
    match = request.resolver_match
    if match is None:
        return facts
    if "project_id" in match.kwargs:
        facts["project"] = str(match.kwargs["project_id"])
    subject = PK_FIELDS.get((match.url_name or "").rpartition("-")[0])
    if subject and "pk" in match.kwargs:
        facts[subject] = str(match.kwargs["pk"])
    return facts


def user_id_of(request: HttpRequest) -> int | None:
    """Without asking the database: None where the request did not need to know."""
    user = vars(request).get("user")
    if user is None or (isinstance(user, LazyObject) and vars(user).get("_wrapped") is empty):
        return None
    return user.pk
