"""How a person wants to be told, and when that is."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.errors import InvalidInput
from notifications.enums import WhenTold
from notifications.models import Notification, Preferences
from notifications.notices import kinds


def preferences_of(user: Any) -> Preferences:
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


def change_preferences(
    *, user: Any, kinds: dict[str, str] | None = None, **changes: Any
) -> Preferences:
    """What is not named stays. Raises InvalidInput."""
    preferences = preferences_of(user)
    preferences.kinds = preferences.kinds | check_kinds(kinds or {})
    for name, value in changes.items():
        setattr(preferences, name, value)
    if (preferences.quiet_from is None) != (preferences.quiet_until is None):
        name = "quiet_until" if preferences.quiet_until is None else "quiet_from"
        raise InvalidInput.of(name, "required", "Quiet hours have a beginning and an end.")
    if preferences.quiet_from is not None and preferences.quiet_from == preferences.quiet_until:
        detail = "Quiet hours that never end: turn the kinds off instead."
        raise InvalidInput.of("quiet_until", "invalid", detail)
    preferences.save()
    return preferences


def time_zone_of(user: Any) -> ZoneInfo:
    """Of the profile; UTC where there is none."""
    profile = getattr(user, "profile", None)
    return ZoneInfo(profile.time_zone if profile else "UTC")


def check_kinds(wanted: dict[str, str]) -> dict[str, str]:
    for name, when in wanted.items():
        if name not in kinds:
            detail = f"There is no such kind. Use: {', '.join(kinds.values)}."
            raise InvalidInput.of("kinds", "invalid_choice", detail)
        if when not in WhenTold.values:
            detail = f"Use one of {', '.join(WhenTold.values)}."
            raise InvalidInput.of(f"kinds.{name}", "invalid_choice", detail)
    return wanted


def when_told(preferences: Preferences, kind: str) -> WhenTold:
    return WhenTold(preferences.kinds.get(kind, WhenTold.AT_ONCE))


def when_to_send(
    preferences: Preferences, kind: str, time_zone: ZoneInfo, now: datetime | None = None
) -> tuple[datetime, str] | None:
    """When, and with what together ('': alone); None: never."""
    now = now or timezone.now()
    match when_told(preferences, kind):
        case WhenTold.OFF:
            return None
        case WhenTold.DIGEST:
            moment = next_moment(time(preferences.digest_hour), time_zone, now)
            return moment, f"digest {moment.isoformat()}"
    local = now.astimezone(time_zone).time()
    if is_quiet(preferences, local):
        moment = next_moment(preferences.quiet_until, time_zone, now)
        return moment, f"quiet {moment.isoformat()}"
    return now, ""


def is_quiet(preferences: Preferences, local: time) -> bool:
    begin, end = preferences.quiet_from, preferences.quiet_until
    if begin is None or end is None:
        return False
    return begin <= local < end if begin < end else local >= begin or local < end


def next_moment(local: time, time_zone: ZoneInfo, now: datetime) -> datetime:
    """The next time that clocks there show this."""
    today = now.astimezone(time_zone).date()
    for days in range(3):
        moment = datetime.combine(today + timedelta(days=days), local, time_zone)
        if moment > now:
            return moment.astimezone(now.tzinfo)
    raise AssertionError("clocks come round within two days")


@transaction.atomic
def send_again(rows: QuerySet[Notification]) -> None:
    """What was given up. Raises Conflict where one of them was not."""
    now = timezone.now()
    for row in rows.select_for_update():
        row.send_again(now)
        row.run_at = now
        row.save()
