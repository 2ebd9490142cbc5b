"""Who has gone: disabled users, ended sessions and tokens, of all that listen, in one look."""

from collections.abc import Iterable
from typing import Any, Protocol

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from rest_framework.authtoken.models import Token

from audit.stream.login import Credentials


class Watched(Protocol):
    user: Any
    credentials: Credentials


def find_ended(listeners: Iterable[Watched]) -> list[Watched]:
    """Three queries, however many listen."""
    listeners = list(listeners)
    users = _alive(
        get_user_model().objects.filter(is_active=True), "pk", {one.user.pk for one in listeners}
    )
    tokens = _alive(Token.objects, "key", {one.credentials.token for one in listeners})
    sessions = _alive(
        Session.objects.filter(expire_date__gt=timezone.now()),
        "session_key",
        {one.credentials.session_key for one in listeners},
    )
    return [
        one
        for one in listeners
        if one.user.pk not in users
        or (one.credentials.token or None) not in tokens | {None}
        or (one.credentials.session_key or None) not in sessions | {None}
    ]


def _alive(rows: Any, field: str, wanted: set) -> set:
    wanted.discard(None)
    if not wanted:
        return set()
    return set(rows.filter(**{f"{field}__in": wanted}).values_list(field, flat=True))
