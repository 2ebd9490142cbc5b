"""Settings with which production does not start, and warnings for `check --deploy`.

An installation is production if other machines can reach it: ALLOWED_HOSTS has a host that is not
loopback, or there is a proxy in front.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
KEY_LENGTH = 50
KEY_VARIETY = 5
# Keys in examples and tutorials begin like this.
PLACEHOLDERS = ("django-insecure", "insecure", "changeme", "change-me", "change_me", "your-")


def is_production(*, hosts: Iterable[str], behind_proxy: bool) -> bool:
    names = [host.lower().rstrip(".") for host in hosts]
    return behind_proxy or not all(
        name in LOOPBACK or name.endswith(".localhost") or name.startswith("127.") for name in names
    )


def why_not_start(*, debug: bool, secret_key: str) -> str:
    """What is unsafe in production, for the person who starts it, or ""."""
    if debug:
        return (
            "DEBUG is on, and would show settings and code to everyone. Switch it off, or let "
            "ALLOWED_HOSTS name only this machine (localhost, 127.0.0.1)."
        )
    if is_weak(secret_key):
        return (
            f"SECRET_KEY is an example, or shorter than {KEY_LENGTH} characters. Anyone who "
            "guesses it can log in as any user. Make one: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
        )
    return ""


def is_weak(key: str) -> bool:
    is_short = len(key) < KEY_LENGTH or len(set(key)) < KEY_VARIETY
    return is_short or key.lower().startswith(PLACEHOLDERS)


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    redis = urlsplit(settings.REDIS_URL)
    insecure = [
        origin for origin in settings.CSRF_TRUSTED_ORIGINS if not origin.startswith("https://")
    ]
    warnings = [
        Warning(
            f"CSRF_TRUSTED_ORIGINS trusts {origin}, which anyone on the network can tamper with.",
            hint="Use https://, or leave it out.",
            id="paraph.W002",
        )
        for origin in insecure
    ]
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name the hosts: anyone who can choose the host name can choose where links lead."
        warnings.append(Warning("ALLOWED_HOSTS answers to any name.", hint=hint, id="paraph.W001"))
    if settings.PRODUCTION and not settings.BEHIND_TLS_PROXY:
        hint = "Put a proxy with TLS in front, and set BEHIND_TLS_PROXY=true. docs/deployment.md"
        detail = "Passwords and cookies are sent without encryption."
        warnings.append(Warning(detail, hint=hint, id="paraph.W003"))
    if not redis.password and redis.hostname not in LOOPBACK:
        hint = "Use redis://:PASSWORD@host. Anyone who reaches Redis can put jobs into the queue."
        detail = "Redis on another host has no password."
        warnings.append(Warning(detail, hint=hint, id="paraph.W004"))
    if settings.PRODUCTION and not settings.LOGIN_TRIES:
        hint = "Set LOGIN_TRIES, such as 10."
        detail = "Passwords may be tried any number of times."
        warnings.append(Warning(detail, hint=hint, id="paraph.W005"))
    return warnings


OWNS_THE_LOG = """
    SELECT rolsuper OR pg_has_role(rolname, tableowner, 'MEMBER') FROM pg_roles, pg_tables
    WHERE rolname = %s AND schemaname = 'public' AND tablename = 'event_log'
"""


@register(Tags.database)
def check_database_user(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs before every migration, and with `check --database default`."""
    warnings = []
    for name in databases or () if settings.PRODUCTION else ():
        user = settings.DATABASES[name]["USER"]
        with connections[name].cursor() as cursor:
            cursor.execute(OWNS_THE_LOG, [user])
            row = cursor.fetchone()
        if row and row[0]:
            message = f"The database user {user} may rewrite the log: it owns the tables."
            hint = "Use one for migrations and one for the servers. docs/deployment.md"
            warnings.append(Warning(message, hint=hint, id="paraph.W006"))
    return warnings
