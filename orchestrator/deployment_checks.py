"""What production is, and what it must not be started with.

It is production as soon as others than this machine are answered: a host in ALLOWED_HOSTS that is
not loopback, or a proxy in front.
"""

from collections.abc import Iterable

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
KEY_LENGTH = 50
KEY_VARIETY = 5
# What examples and tutorials have in the place of a key.
PLACEHOLDERS = ("django-insecure", "insecure", "changeme", "change-me", "change_me", "your-")


def is_production(*, hosts: Iterable[str], behind_proxy: bool) -> bool:
    return behind_proxy or any(not _is_loopback(host) for host in hosts)


def why_not_start(*, debug: bool, secret_key: str) -> str:
    """What is unsafe in production, for the person who starts it; empty if nothing."""
    if debug:
        return (
            "DEBUG is on, and would show settings and code to anybody. Unset it, or let "
            "ALLOWED_HOSTS name this machine only (localhost, 127.0.0.1)."
        )
    if is_weak(secret_key):
        return (
            f"SECRET_KEY is an example, or shorter than {KEY_LENGTH} characters, and who guesses "
            "it can log in as anybody. Make one: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
        )
    return ""


def is_weak(key: str) -> bool:
    is_short = len(key) < KEY_LENGTH or len(set(key)) < KEY_VARIETY
    return is_short or key.lower().startswith(PLACEHOLDERS)


def _is_loopback(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name in LOOPBACK or name.endswith(".localhost") or name.startswith("127.")
