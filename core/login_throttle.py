"""Logging in by name and password, without room for guessing.

Tries are counted for a name from an address, so that nobody can lock a person out from elsewhere,
and for an address, so that nobody can try one password on every name.
"""

import hashlib
import math
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from core.errors import TooMany
from core.token_bucket import SharedTokenBuckets

WINDOW_SECONDS = 300
# An address may stand for an office; a name from an address for a person.
NAMES_OF_AN_ADDRESS = 10

login_tries = SharedTokenBuckets("login")


class GuardedBackend(ModelBackend):
    """Django's own, which counts the tries that come with a request."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> Any:
        """Raises TooMany."""
        if request is None or username is None or not settings.LOGIN_TRIES:
            return super().authenticate(request, username=username, **credentials)
        address = request.META.get("REMOTE_ADDR", "")
        name_and_address = _hashed(username.lower(), address)
        # Counted before the answer is known: a hundred tries at once are a hundred tries.
        for key, tries in (
            (name_and_address, settings.LOGIN_TRIES),
            (_hashed(address), settings.LOGIN_TRIES * NAMES_OF_AN_ADDRESS),
        ):
            if seconds := login_tries.take(key, tries, WINDOW_SECONDS):
                # Nothing was tried: it is counted, not recorded one by one.
                user_login_failed.send(
                    __name__,
                    credentials={"username": username},
                    request=request,
                    is_throttled=True,
                )
                detail = f"Too many tries to log in. Wait {math.ceil(seconds)} s, then try again."
                raise TooMany("too_many_tries", detail, retry_after=seconds)
        user = super().authenticate(request, username=username, **credentials)
        if user is not None:
            login_tries.refill(name_and_address)
        return user


def _hashed(*parts: str) -> str:
    """Redis is told neither names nor addresses."""
    text = "\0".join((settings.SECRET_KEY, *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
