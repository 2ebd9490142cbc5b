"""Keys in the header `Authorization: <scheme> <key>`, and what they open.

A scheme is a kind of key: `Token` for a person's own, others beside it. Each is registered by the
app that keeps its keys. What a key may do is checked where it is read, so no view can forget it.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any, Protocol

from django.db.models import TextChoices
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from core.text import is_storable

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LONGEST_KEY = 200


class Scope(TextChoices):
    #: Everything that changes nothing.
    READ = "read", "Read"
    #: Decisions, comments, and claims of requests.
    DECIDE = "decide", "Decide"
    #: Everything else.
    MANAGE = "manage", "Manage"


class Grant(Protocol):
    """A key that is valid now: whose it is, and what it opens."""

    scheme: str
    key_hash: str
    user: Any
    expires_at: datetime

    def require(self, scope: Scope) -> None:
        """Raises Forbidden."""


class Scheme(Protocol):
    def find(self, key_hash: str) -> Grant | None:
        """None where there is no such key, or it has ended."""

    def still_valid(self, key_hashes: set[str]) -> set[str]:
        """Those of them that have not ended."""


_schemes: dict[str, Scheme] = {}


def register_scheme(name: str, scheme: Scheme) -> None:
    """In place of an earlier one. `name` in small letters."""
    _schemes[name] = scheme


def scheme_of(name: str) -> Scheme | None:
    return _schemes.get(name)


def new_key(prefix: str) -> str:
    """256 random bits; the prefix tells people, and scanners of leaked secrets, what it is."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """What is stored of a key. One round is enough: nobody guesses 256 bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def read_header(header: str) -> tuple[str, str] | None:
    """The scheme and the hash of the key; None without a key of a scheme that we know.

    The hash of a key that cannot be one fits nothing.
    """
    name, _, key = header.partition(" ")
    name, key = name.lower(), key.strip()
    if name not in _schemes:
        return None
    plain = 0 < len(key) <= LONGEST_KEY and " " not in key and is_storable(key)
    return name, hash_key(key) if plain else ""


def required_scope(request: Request, view: Any) -> Scope:
    """`scopes` of a view has what its actions, or methods of a plain view, need beyond the rule."""
    if request.method in SAFE_METHODS:
        return Scope.READ
    name = getattr(view, "action", None) or request.method.lower()
    return getattr(view, "scopes", {}).get(name, Scope.MANAGE)


class KeyAuthentication(BaseAuthentication):
    """For all DRF views. A key that is there counts, valid or not."""

    def authenticate(self, request: Request) -> tuple[Any, Grant] | None:
        """Raises AuthenticationFailed, and Forbidden where the key does not open this."""
        header = read_header(request.headers.get("Authorization", ""))
        if header is None:
            return None
        name, key_hash = header
        grant = _schemes[name].find(key_hash) if key_hash else None
        if grant is None:
            raise AuthenticationFailed(
                "This key is not valid, or no longer: it may have expired or been revoked, or its "
                "owner's password was changed. Log in and make a new one."
            )
        grant.require(required_scope(request, request.parser_context.get("view")))
        return grant.user, grant

    def authenticate_header(self, request: Request) -> str:
        return "Token"
