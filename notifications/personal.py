"""Sends notifications to people: what belongs together together, and only what is still true."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from core.database import release_connection
from core.failpoints import failpoint
from notifications.enums import DeliveryStatus
from notifications.messages import Message, NoLongerTrue, message_for
from notifications.metrics import NOTIFICATION_SECONDS, NOTIFICATIONS
from notifications.models import Notification, retry_delay

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
#: What came together is told in one message, up to so many.
TOGETHER_MAX = 100

# The longest due with all that goes out together with it.
CLAIM = """
    UPDATE notifications SET leased_until = clock_timestamp() + %(lease)s
    WHERE id IN (
        SELECT other.id FROM notifications AS other, (
            SELECT id, channel, recipient, batch FROM notifications
            WHERE status = 'pending' AND channel = %(channel)s AND run_at <= clock_timestamp()
                AND coalesce(leased_until <= clock_timestamp(), true)
            ORDER BY run_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS first
        WHERE other.status = 'pending' AND other.channel = first.channel
            AND other.recipient = first.recipient
            AND (other.id = first.id OR (other.batch <> '' AND other.batch = first.batch))
        ORDER BY other.run_at, other.id LIMIT %(most)s)
    RETURNING id
"""


class NotSent(Exception):
    """The text says why. `is_final`: it would never be taken. `is_away`: nothing else would."""

    def __init__(self, reason: str, *, is_final: bool = False, is_away: bool = False) -> None:
        super().__init__(reason)
        self.is_final, self.is_away = is_final, is_away


#: Sends all of them in one message. Raises NotSent.
Send = Callable[[list[tuple[Notification, Message]]], None]


def send_due(channel: str, send: Send, deadline: float) -> int:
    """Until `time.monotonic()` says so, nothing is due or the channel is away; how many."""
    sent = 0
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, {"lease": LEASE, "channel": channel, "most": TOGETHER_MAX})
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            break
        rows = Notification.objects.filter(pk__in=ids).select_related("user", "project")
        told = still_true(rows.order_by("created_at", "pk"))
        if not told:
            continue
        began = time.monotonic()
        try:
            # A mail server may be slow, and connections are few.
            release_connection()
            send(told)
        except NotSent as error:
            note([row for row, _ in told], error)
            if error.is_away:
                break
            continue
        failpoint("after_notification_before_record")
        NOTIFICATION_SECONDS.labels(channel).observe(time.monotonic() - began)
        note([row for row, _ in told], None)
        sent += len(told)
    return sent


def still_true(rows: Sequence[Notification]) -> list[tuple[Notification, Message]]:
    told = []
    for row in rows:
        try:
            told.append((row, message_for(row)))
        except NoLongerTrue as reason:
            row.drop(timezone.now(), f"Not sent: {reason}.")
            keep(row)
    return told


@transaction.atomic
def note(rows: Sequence[Notification], error: NotSent | None) -> None:
    now = timezone.now()
    for row in rows:
        if error is None:
            row.succeed(now)
        else:
            row.fail(now, str(error), is_final=error.is_final)
            row.run_at = now + retry_delay(row.attempts)
        keep(row)
    if error is not None:
        logger.info("notification failed", extra={"kind": rows[0].kind, "error": str(error)})


def keep(row: Notification) -> None:
    names = (*Notification.RESULT, "run_at")
    pending = Notification.objects.filter(pk=row.pk, status=DeliveryStatus.PENDING)
    pending.update(leased_until=None, **{name: getattr(row, name) for name in names})
    result = "failed" if row.status == DeliveryStatus.PENDING else str(row.status)
    NOTIFICATIONS.labels(row.channel, result).inc()
