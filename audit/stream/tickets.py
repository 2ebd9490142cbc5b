"""A ticket stands for a login, once, for 30 s: for clients that can set no header on a WebSocket.

Redis is told neither the ticket nor the login: it keeps, under the ticket's hash, what only the
ticket opens, and what nobody can forge who does not know SECRET_KEY.
"""

import hashlib
import secrets
from functools import cache

import redis
from django.conf import settings
from django.core import signing

from audit.stream.login import Credentials

TICKET_SECONDS = 30
SALT = "paraph.ws-ticket"


class TicketsUnavailable(Exception):
    """Redis is away."""


def issue_ticket(credentials: Credentials) -> str:
    """Raises TicketsUnavailable."""
    ticket = secrets.token_urlsafe(32)
    login = {"token": credentials.token, "session_key": credentials.session_key}
    sealed = _mask(ticket, signing.dumps(login, salt=SALT).encode())
    try:
        _redis().set(_key(ticket), sealed, ex=TICKET_SECONDS)
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    return ticket


def redeem_ticket(ticket: str) -> Credentials | None:
    """The login; None for a ticket that is used, too old or made up. Raises TicketsUnavailable."""
    try:
        sealed = _redis().getdel(_key(ticket))
    except redis.RedisError as error:
        raise TicketsUnavailable from error
    if sealed is None:
        return None
    try:
        text = _mask(ticket, sealed).decode("ascii")
        return Credentials(**signing.loads(text, salt=SALT, max_age=TICKET_SECONDS))
    except (signing.BadSignature, UnicodeDecodeError):
        return None


def _mask(ticket: str, content: bytes) -> bytes:
    pad = hashlib.shake_256(b"mask" + ticket.encode()).digest(len(content))
    return bytes(a ^ b for a, b in zip(content, pad, strict=True))


def _key(ticket: str) -> str:
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return f"{prefix}:ws-ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, health_check_interval=30
    )
