"""Whether a person has shown again, a moment ago, that a session is still theirs."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from core.errors import Forbidden

AUTHENTICATED_AT = "authenticated_at"


def note_authentication(request: HttpRequest) -> None:
    request.session[AUTHENTICATED_AT] = int(time.time())


def note_login(request: HttpRequest | None = None, **signal: Any) -> None:
    """Of every kind of login, also by an identity provider."""
    if getattr(request, "session", None) is not None:
        note_authentication(request)


def is_fresh(request: HttpRequest) -> bool:
    """The session's login, or its password given again, is at most minutes old."""
    seconds = time.time() - request.session.get(AUTHENTICATED_AT, 0)
    return 0 <= seconds <= settings.REAUTHENTICATION_SECONDS


def reauthenticate(request: HttpRequest, password: str) -> None:
    """The session counts as fresh from now on. Raises Forbidden `wrong_password`, TooMany."""
    user = request.user
    if authenticate(request, username=user.get_username(), password=password) != user:
        raise Forbidden("wrong_password", "This is not your password. Nothing was decided.")
    note_authentication(request)


def connect() -> None:
    user_logged_in.connect(note_login, dispatch_uid="note_login")
