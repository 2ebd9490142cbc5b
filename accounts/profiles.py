"""What people choose for themselves, and the time zone in which pages show times to them."""

import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Profile
from core.errors import InvalidInput
from core.middleware import Answer, Around
from core.text import is_storable

SESSION_KEY = "time_zone"
NAME_MAX = 150


@cache
def time_zones() -> tuple[str, ...]:
    """By continent; those that have no place are left out, but UTC."""
    return (
        "UTC",
        *sorted(n for n in zoneinfo.available_timezones() if "/" in n and "Etc" not in n),
    )


def time_zone_of(user: Any) -> str:
    return Profile.objects.filter(user=user).values_list("time_zone", flat=True).first() or "UTC"


def change_profile(
    *, user: Any, first_name: str, last_name: str, time_zone: str, session: Any = None
) -> None:
    """Raises InvalidInput, which names the field. `session`: its pages follow at once."""
    if time_zone not in time_zones():
        detail = "There is no such time zone. Use a name such as Europe/Vienna, or UTC."
        raise InvalidInput.of("time_zone", "invalid_choice", detail)
    names = {"first_name": first_name.strip(), "last_name": last_name.strip()}
    for field, name in names.items():
        if len(name) > NAME_MAX or not is_storable(name):
            detail = f"Use at most {NAME_MAX} characters of plain text."
            raise InvalidInput.of(field, "invalid", detail)
        setattr(user, field, name)
    with transaction.atomic():
        user.save(update_fields=[*names])
        Profile.objects.update_or_create(user=user, defaults={"time_zone": time_zone})
    if session is not None:
        session[SESSION_KEY] = time_zone


def note_time_zone(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """In the session, so that no page has to ask for it."""
    if getattr(request, "session", None) is not None:
        request.session[SESSION_KEY] = time_zone_of(user)


def watch_time_zones() -> None:
    user_logged_in.connect(note_time_zone, dispatch_uid="time_zones")


class TimeZoneMiddleware(Around):
    """Pages show times as those who look at them count. REST, streams and files stay in UTC."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        name = request.session.get(SESSION_KEY) if request.path.startswith("/admin/") else None
        with timezone.override(zoneinfo.ZoneInfo(name) if name in time_zones() else None):
            yield lambda response: None
