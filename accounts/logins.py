"""Logins that succeed and fail, in the log of the installation; failures at a bounded rate.

Whoever tries names and passwords by the thousand fills no log: beyond a burst, and where the limit
for logins refuses them already, failures are counted, and the count is recorded once a minute.
"""

import time
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from accounts.current_actor import address_of
from accounts.events import LOGIN_FAILED, LOGINS_FAILED, USER_LOGGED_IN
from audit.actors import Actor
from audit.installation import record_installation
from core.shared_counter import SharedCounter
from core.text import is_storable
from core.token_bucket import SharedTokenBuckets

# Of the whole installation, recorded one by one: so many at once, and so many an hour.
RECORDED_FAILURES = 100
RECORDED_FAILURES_SECONDS = 3600
COUNT_SECONDS = 60

recorded_failures = SharedTokenBuckets("failed-logins")
counted_failures = SharedCounter("failed-logins")
_counted_at = 0.0


def record_login(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    actor = Actor.of_user(user)
    record_installation(USER_LOGGED_IN, actor, user=user.pk, address=address_of(request))


def record_failed_login(
    sender: Any,
    credentials: dict[str, Any],
    request: HttpRequest | None = None,
    is_throttled: bool = False,
    **_: Any,
) -> None:
    if is_throttled or recorded_failures.take("", RECORDED_FAILURES, RECORDED_FAILURES_SECONDS):
        counted_failures.add()
        return
    # The name is that of an account, or stays out: people type passwords into the wrong field.
    name = str(credentials.get("username", ""))
    users = get_user_model().objects.filter(username=name) if is_storable(name) else ()
    about = next(({"user": user.pk, "username": user.get_username()} for user in users), {})
    system = Actor.of_system("login")
    record_installation(LOGIN_FAILED, system, address=address_of(request), **about)


def record_counted_logins() -> int:
    """For the sweep: how many failed since the last time, once a minute."""
    global _counted_at
    if time.monotonic() - _counted_at < COUNT_SECONDS:
        return 0
    _counted_at = time.monotonic()
    if count := counted_failures.take():
        try:
            record_installation(LOGINS_FAILED, Actor.of_scheduler(), count=count)
        except Exception:
            counted_failures.add(count)
            raise
    return count


def watch_logins() -> None:
    user_logged_in.connect(record_login, dispatch_uid="accounts")
    user_login_failed.connect(record_failed_login, dispatch_uid="accounts")
