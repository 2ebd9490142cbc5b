"""Who acts in this request: for the log, never to decide anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest

from audit.actors import Actor
from core.middleware import Answer, Around

_request: ContextVar[HttpRequest | None] = ContextVar("actor_request", default=None)


class CurrentActorMiddleware(Around):
    """After authentication. Whose request it is may also be known later, by a key."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        token = _request.set(request)
        try:
            yield lambda response: None
        finally:
            _request.reset(token)


def current_actor() -> Actor:
    """The person who is logged in; outside of requests, a command on the server."""
    request = _request.get()
    if request is None:
        return Actor.of_system("terminal")
    user = getattr(request, "user", None)
    is_person = user is not None and user.is_authenticated
    return Actor.of_user(user) if is_person else Actor.of_system("web")


def address_of(request: HttpRequest | None) -> str:
    return request.META.get("REMOTE_ADDR", "") if request is not None else ""
