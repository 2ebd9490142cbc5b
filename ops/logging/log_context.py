"""What a log line or a metric may say of a request: its route and not its path, which holds ids."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

# Anybody may invent methods, and each would be a series of its own.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
# `pk` is an id of what the route is named after.
NAMED = {
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
    """Route, what it is about, and who asks."""
    facts: dict[str, Any] = {"route": route_of(request)}
    if (user := user_id_of(request)) is not None:
        facts["user"] = user
    match = request.resolver_match
    if match is None:
        return facts
    if "project_id" in match.kwargs:
        facts["project"] = str(match.kwargs["project_id"])
    subject = NAMED.get((match.url_name or "").rpartition("-")[0])
    if subject and "pk" in match.kwargs:
        facts[subject] = str(match.kwargs["pk"])
    return facts


def user_id_of(request: HttpRequest) -> int | None:
    """Without asking the database: None where the request did not need to know."""
    user = vars(request).get("user")
    if user is None or (isinstance(user, LazyObject) and vars(user).get("_wrapped") is empty):
        return None
    return user.pk
