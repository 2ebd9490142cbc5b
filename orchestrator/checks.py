"""What `manage.py check --deploy` says beside Django's own."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from orchestrator.deployment_checks import LOOPBACK


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [*_reach(), *_proxy(), *_servers(), *_limits()]


def _reach() -> Iterator[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts: whoever may choose the name of a host may choose where links lead."
        yield Warning("ALLOWED_HOSTS answers to any name.", hint=hint, id="paraph.W001")
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if not origin.startswith("https://"):
            hint = "Use https://, or leave it out."
            what = f"CSRF_TRUSTED_ORIGINS trusts {origin}, which anybody on the way can change."
            yield Warning(what, hint=hint, id="paraph.W002")


def _proxy() -> Iterator[CheckMessage]:
    if settings.PRODUCTION and not settings.BEHIND_TLS_PROXY:
        hint = "Put a proxy with TLS in front, and set BEHIND_TLS_PROXY=true. docs/deployment.md"
        yield Warning("Passwords and cookies go unprotected.", hint=hint, id="paraph.W003")


def _servers() -> Iterator[CheckMessage]:
    redis = urlsplit(settings.REDIS_URL)
    if not redis.password and redis.hostname not in LOOPBACK:
        hint = "redis://:PASSWORD@host: who reaches it can put jobs into the queue."
        yield Warning("Redis on another host has no password.", hint=hint, id="paraph.W004")


def _limits() -> Iterator[CheckMessage]:
    if settings.PRODUCTION and not settings.LOGIN_TRIES:
        hint = "Set LOGIN_TRIES, such as 10."
        yield Warning("Passwords may be tried without end.", hint=hint, id="paraph.W005")
