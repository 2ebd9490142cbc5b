"""Who listens, by which credentials: asked at the start, and again while they listen."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.contrib.sessions.models import Session
from django.core import signing
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.http import is_same_domain

from core.authentication import Scope, read_header, scheme_of

TICKET_SECONDS = 30
TICKET_SALT = "paraph.ws-ticket"


@dataclass(frozen=True)
class Credentials:
    """What a request or handshake brought along. A key that is there counts, valid or not."""

    #: Of the key in the header Authorization; empty without one.
    scheme: str = ""
    key_hash: str = ""
    session_key: str | None = None
    is_foreign: bool = False

    def user(self) -> Any | None:
        """The active user that they stand for now, or None. Reads the database.

        Raises Forbidden for a key that is valid and does not open reading.
        """
        if self.scheme:
            scheme = scheme_of(self.scheme)
            grant = scheme.find(self.key_hash) if scheme and self.key_hash else None
            if grant is None:
                return None
            grant.require(Scope.READ)
            return grant.user
        if not self.session_key:
            return None
        store = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user = get_user(SimpleNamespace(session=store))
        return user if user.is_authenticated and user.is_active else None


def credentials_of(scope: dict[str, Any]) -> Credentials:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if key := read_header(headers.get(b"authorization", "")):
        return Credentials(*key)
    session_key = parse_cookie(headers.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME)
    origin, host = headers.get(b"origin"), headers.get(b"host", "")
    is_foreign = not is_own_origin(origin, host, scheme=scheme_in(scope["scheme"], headers))
    return Credentials(session_key=session_key, is_foreign=bool(session_key) and is_foreign)


def scheme_in(scheme: str, headers: dict[bytes, str]) -> str:
    """Of the page that may open this: `http` or `https`, as Django tells them apart."""
    if proxy := settings.SECURE_PROXY_SSL_HEADER:
        name, secure_value = proxy
        forwarded = headers.get(name.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if forwarded is not None:
            is_secure = forwarded.split(",", 1)[0].strip() == secure_value
            return "https" if is_secure else "http"
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


def is_own_origin(origin: str | None, host: str, *, scheme: str) -> bool:
    """Whether a page of this origin may use the cookie. Browsers always name theirs.

    Our own hosts with our own scheme and port, and CSRF_TRUSTED_ORIGINS.
    """
    if origin is None:
        return True
    parts = urlsplit(origin)
    for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS):
        pattern = trusted.netloc.removeprefix("*")
        if parts.scheme == trusted.scheme and is_same_domain(parts.netloc, pattern):
            return True
    domain, port = split_domain_port(host)
    origin_domain, origin_port = split_domain_port(parts.netloc)
    # A host that anybody may claim makes no origin ours.
    allowed_hosts = [name for name in settings.ALLOWED_HOSTS if name != "*"]
    return (
        bool(origin_domain)
        and parts.scheme == scheme
        and port == origin_port
        and (origin_domain == domain or validate_host(origin_domain, allowed_hosts))
    )


class TokenOrSessionAuth:
    """ASGI: puts the credentials of a handshake into its scope.

    Whose they are is asked after the socket is accepted, so that a browser sees the close code.
    """

    def __init__(self, inner: Callable[..., Awaitable[None]]) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        await self.inner(scope | {"credentials": credentials_of(scope)}, receive, send)


class Authenticated(Protocol):
    user: Any
    credentials: Credentials


def find_revoked(listeners: Iterable[Authenticated]) -> list[Authenticated]:
    """Those whose user is disabled, or whose session or key has ended: few queries for all."""
    listeners = list(listeners)
    users = _existing(
        get_user_model().objects.filter(is_active=True),
        "pk",
        {listener.user.pk for listener in listeners},
    )
    keys: dict[str, set[str]] = {}
    for name, key_hash in {key_of(listener) for listener in listeners} - {None}:
        keys.setdefault(name, set()).add(key_hash)
    valid_keys: set[tuple[str, str] | None] = {None}
    for name, key_hashes in keys.items():
        scheme = scheme_of(name)
        valid = scheme.still_valid(key_hashes) if scheme else ()
        valid_keys |= {(name, key_hash) for key_hash in valid}
    sessions = _existing(
        Session.objects.filter(expire_date__gt=timezone.now()),
        "session_key",
        {listener.credentials.session_key for listener in listeners},
    )
    return [
        listener
        for listener in listeners
        if listener.user.pk not in users
        or key_of(listener) not in valid_keys
        or (listener.credentials.session_key or None) not in sessions | {None}
    ]


def key_of(listener: Authenticated) -> tuple[str, str] | None:
    credentials = listener.credentials
    return (credentials.scheme, credentials.key_hash) if credentials.scheme else None


def _existing(rows: Any, field: str, values: set) -> set:
    values.discard(None)
    if not values:
        return set()
    return set(rows.filter(**{f"{field}__in": values}).values_list(field, flat=True))


# A ticket stands for a login, once, for 30 s: for clients that can set no header on a WebSocket.
# Redis is told neither the ticket nor the login: it keeps, under the ticket's hash, what only the
# ticket opens, and what nobody can forge who does not know SECRET_KEY.


class TicketsUnavailable(Exception):
    """Redis is away."""


def issue_ticket(credentials: Credentials) -> str:
    """Raises TicketsUnavailable."""
    ticket = secrets.token_urlsafe(32)
    login = {"scheme": credentials.scheme, "key_hash": credentials.key_hash}
    login |= {"session_key": credentials.session_key}
    sealed = _mask(ticket, signing.dumps(login, salt=TICKET_SALT).encode())
    try:
        _redis().set(_ticket_key(ticket), sealed, ex=TICKET_SECONDS)
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    return ticket


def redeem_ticket(ticket: str) -> Credentials | None:
    """The login; None for a ticket that is used, too old or made up. Raises TicketsUnavailable."""
    try:
        sealed = _redis().getdel(_ticket_key(ticket))
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    if sealed is None:
        return None
    try:
        text = _mask(ticket, sealed).decode("ascii")
        return Credentials(**signing.loads(text, salt=TICKET_SALT, max_age=TICKET_SECONDS))
    except (signing.BadSignature, UnicodeDecodeError, TypeError):
        return None


def _mask(ticket: str, content: bytes) -> bytes:
    pad = hashlib.shake_256(b"mask" + ticket.encode()).digest(len(content))
    return bytes(a ^ b for a, b in zip(content, pad, strict=True))


def _ticket_key(ticket: str) -> str:
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return f"{prefix}:ws-ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, health_check_interval=30
    )
