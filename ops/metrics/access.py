"""Who may read the metrics: a token of their own; without one, this machine only."""

import ipaddress
import secrets

from django.conf import settings
from django.http import HttpRequest

FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via")


def is_authorized(authorization: str) -> bool:
    scheme, _, token = authorization.partition(" ")
    given, wanted = token.strip().encode(), settings.METRICS_TOKEN.encode()
    return scheme.lower() == "bearer" and secrets.compare_digest(given, wanted)


def is_local(request: HttpRequest) -> bool:
    """From this machine and not passed on by a proxy, whose own address says nothing."""
    if settings.BEHIND_TLS_PROXY or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
