"""What opened accounts before the log of the installation said so: recorded once, as it was then.

Never again after that: whoever adds a row by hand would only have to wait for the next migration.
"""

from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Q

from accounts.events import (
    ACCESS_NOTED,
    PASSWORD_CHANGED,
    RIGHTS_CHANGED,
    TOKEN_CREATED,
    TOKEN_NOTED,
    USER_CREATED,
    USER_NOTED,
)
from accounts.models import PersonalToken
from accounts.single_sign_on import record_identity
from accounts.tokens import facts_of
from accounts.users import RIGHTS, facts_of_holder, key_of, marks_of
from audit.actors import Actor
from audit.installation import INSTALLATION, record_installation
from audit.models import Event

MIGRATION = Actor.of_system("migration")
TABLES = {
    *("auth_user", "personal_tokens", "socialaccount_socialaccount"),
    *("event_epochs", "event_log"),
}


def note_what_was_there(using: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
    """After a migration: where an older release has kept the log, or none."""
    tables = connections[using].introspection.table_names()
    if using == DEFAULT_DB_ALIAS and {*tables} >= TABLES and _is_due():
        note_users()
        note_access()


def _is_due() -> bool:
    events = Event.objects.filter(project=INSTALLATION)
    if events.filter(event_type=ACCESS_NOTED).exists():
        return False
    if not events.filter(event_type__in=(USER_CREATED, USER_NOTED)).exists():
        return get_user_model().objects.exists()
    of_older_release = (
        Q(event_type__in=(USER_CREATED, USER_NOTED, PASSWORD_CHANGED))
        & ~Q(data__has_key="password_mark")
    ) | (Q(event_type=RIGHTS_CHANGED) & ~Q(data__has_key="keys"))
    return events.filter(of_older_release).exists()


@transaction.atomic
def note_users() -> None:
    """Each user that no event knows, and each password of which none has a mark."""
    events = Event.objects.filter(project=INSTALLATION)
    known = _users(events.filter(event_type__in=(USER_CREATED, USER_NOTED)))
    marked = _users(events.filter(data__has_key="password_mark"))
    for user in get_user_model().objects.exclude(pk__in=known & marked).order_by("pk"):
        facts = {"user": user.pk} | marks_of(user)
        if user.pk not in known:
            facts |= {name: getattr(user, name) for name in RIGHTS}
        record_installation(USER_NOTED, MIGRATION, **facts)


def _users(events: Any) -> set[int]:
    return {*events.values_list("data__user", flat=True)}


@transaction.atomic
def note_access() -> None:
    """Rights, single sign-on and tokens; in any case one event, so that it is done once."""
    users, groups = get_user_model().objects.order_by("pk"), Group.objects.order_by("pk")
    for user in users.prefetch_related("groups", "user_permissions"):
        _note_rights(user, "group", user.groups.all())
        _note_rights(user, "permission", user.user_permissions.all())
    for group in groups.prefetch_related("permissions"):
        _note_rights(group, "permission", group.permissions.all())
    for account in SocialAccount.objects.select_related("user").order_by("pk"):
        record_identity(account, created=True, actor=MIGRATION)
    record_installation(ACCESS_NOTED, MIGRATION, users=users.count(), tokens=note_tokens())


@transaction.atomic
def note_tokens() -> int:
    """Each that no event knows; how many there were."""
    events = Event.objects.filter(project=INSTALLATION, event_type__in=(TOKEN_CREATED, TOKEN_NOTED))
    known = {*events.values_list("data__token", flat=True)}
    tokens = PersonalToken.objects.select_related("user").order_by("pk")
    unknown = [token for token in tokens if str(token.pk) not in known]
    for token in unknown:
        record_installation(TOKEN_NOTED, MIGRATION, **facts_of(token))
    return len(unknown)


def _note_rights(holder: Any, kind: str, rows: Any) -> None:
    if keys := sorted(key_of(row) for row in rows):
        facts = {"kind": kind, "added": sorted(str(row) for row in rows), "keys": keys}
        record_installation(ACCESS_NOTED, MIGRATION, **facts_of_holder(holder), **facts)
