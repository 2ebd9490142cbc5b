"""Who listens, by which credentials. Asked at the start and again while they listen."""

from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain
from rest_framework.authtoken.models import Token


@dataclass(frozen=True)
class Credentials:
    """What a request or handshake brought along. A token that is there counts, valid or not."""

    token: str | None = None
    session_key: str | None = None
    is_foreign: bool = False

    def user(self) -> Any | None:
        """The active user that they stand for now, or None. Reads the database."""
        if self.token is not None:
            return _user_of_token(self.token)
        return _user_of_session(self.session_key) if self.session_key else None


def credentials_of(scope: dict[str, Any]) -> Credentials:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    kind, _, token = headers.get(b"authorization", "").partition(" ")
    if kind.lower() == "token":
        return Credentials(token=token.strip())
    session_key = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    is_foreign = not is_own_origin(headers.get(b"origin"), headers.get(b"host", ""))
    return Credentials(session_key=session_key, is_foreign=bool(session_key) and is_foreign)


def is_own_origin(origin: str | None, host: str) -> bool:
    """Whether a page of this origin may use the cookie. Browsers always name theirs.

    Our own hosts on our own port, and CSRF_TRUSTED_ORIGINS.
    """
    if origin is None:
        return True
    parts = urlsplit(origin)
    if any(_matches(parts, urlsplit(trusted)) for trusted in settings.CSRF_TRUSTED_ORIGINS):
        return True
    domain, port = split_domain_port(host)
    own, own_port = split_domain_port(parts.netloc)
    return bool(own) and port == own_port and (own == domain or validate_host(own, _hosts()))


def _matches(origin: Any, trusted: Any) -> bool:
    pattern = trusted.netloc.removeprefix("*")
    return origin.scheme == trusted.scheme and is_same_domain(origin.netloc, pattern)


def _hosts() -> list[str]:
    """A host that anybody may claim makes no origin ours."""
    return [host for host in settings.ALLOWED_HOSTS if host != "*"]


def _user_of_token(key: str) -> Any | None:
    token = Token.objects.select_related("user").filter(key=key, user__is_active=True).first()
    return token.user if token else None


def _user_of_session(session_key: str) -> Any | None:
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(SimpleNamespace(session=store))
    return user if user.is_authenticated and user.is_active else None
