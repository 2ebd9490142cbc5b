"""Whom an event concerns: a notification for each of them and each channel that reaches them."""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from audit.models import Event, LogVerification
from audit.schedule import TREE
from notifications.channel import channels
from notifications.models import RETRIED_FOR, Notification
from notifications.notices import INTEGRITY, TEST, Kind, kind_of, kinds
from notifications.preferences import preferences_of, time_zone_of, when_to_send
from projects.models import Membership, Project


def interest(projects: Collection[UUID]) -> dict[UUID, set[str]]:
    return dict.fromkeys(projects, set().union(*(kind.event_types for kind in kinds)))


def read(project: Project, events: Sequence[Event]) -> None:
    """Again changes nothing. Nobody is told of what they did themselves."""
    told = [(event, kind) for event in events if (kind := kind_of(event.event_type))]
    if not told:
        return
    members = Membership.objects.filter(project=project, user__is_active=True)
    roles = {m.user: m.role for m in members.select_related("user__notification_preferences")}
    rows: list[Notification] = []
    for event, kind in told:
        users = [
            user
            for user, role in roles.items()
            if role in kind.roles and event.actor != f"user:{user.pk}"
        ]
        rows += notifications_for(
            users,
            kind,
            project=project,
            key=f"{event.epoch}_{event.sequence}",
            epoch=event.epoch,
            sequence=event.sequence,
        )
    save(rows)


def raise_alarms() -> int:
    """Of logs that do not hold, by the schedule's verification: each day while it stands."""
    problems = LogVerification.objects.exclude(problem="")
    rows: list[Notification] = []
    for found in problems:
        project = None
        if found.subject != TREE:
            project = Project.objects.filter(pk=UUID(found.subject)).first()
        owners = Membership.objects.filter(project=project, role__in=INTEGRITY.roles)
        concerned = Q(is_superuser=True) | Q(pk__in=owners.values("user"))
        users = get_user_model().objects.filter(concerned, is_active=True)
        digest = hashlib.sha256(f"{found.subject} {found.problem}".encode()).hexdigest()[:32]
        key = f"log_{digest}_{timezone.now():%Y%m%d}"
        users = users.select_related("notification_preferences")
        rows += notifications_for(users, INTEGRITY, project=project, key=key)
    return save(rows)


def send_test(user: Any) -> int:
    """By every channel that reaches them, at once, whatever they have chosen; how many."""
    preferences, key = preferences_of(user), f"test_{secrets.token_hex(8)}"
    return save(
        [
            Notification(
                user=user,
                recipient=recipient,
                channel=channel.name,
                kind=TEST,
                key=key,
                run_at=timezone.now(),
            )
            for channel in channels
            for recipient in channel.recipients_of(user, preferences)
        ]
    )


def notifications_for(users: Iterable[Any], kind: Kind, **about: Any) -> Iterator[Notification]:
    """Once for each recipient."""
    for user in users:
        preferences = getattr(user, "notification_preferences", None) or preferences_of(user)
        when = when_to_send(preferences, kind.name, time_zone_of(user))
        if when is None:
            continue
        run_at, batch = when
        for channel in channels:
            for recipient in channel.recipients_of(user, preferences):
                yield Notification(
                    user=user,
                    recipient=recipient,
                    channel=channel.name,
                    kind=kind.name,
                    run_at=run_at,
                    retry_until=run_at + RETRIED_FOR,
                    batch=batch,
                    **about,
                )
    for channel in channels:
        for recipient in channel.recipients(kind):
            yield Notification(
                recipient=recipient,
                channel=channel.name,
                kind=kind.name,
                run_at=timezone.now(),
                **about,
            )


def save(rows: list[Notification]) -> int:
    Notification.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)
