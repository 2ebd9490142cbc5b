"""Webhooks: each is one queue, in the order of the log. What fails holds up what comes later."""

import logging
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from audit.models import Event
from core.database import release_connection
from core.encryption import Unreadable
from core.errors import DomainError
from core.failpoints import failpoint
from notifications.channel import Channel, register_channel
from notifications.cloud_events import body_of, headers_of
from notifications.enums import DeliveryStatus
from notifications.http_client import NotDelivered, post
from notifications.metrics import NOTIFICATION_SECONDS, NOTIFICATIONS
from notifications.models import (
    ERROR_MAX,
    REFUSALS_MAX,
    Webhook,
    WebhookDelivery,
    retry_delay,
)
from notifications.webhooks import disable_webhook
from projects.models import Project

logger = logging.getLogger(__name__)

CHANNEL = "webhook"
#: While one process sends to a webhook, no other does; longer than its turn and one attempt.
LEASE = timedelta(seconds=60)
TURN_SECONDS = 10.0
BATCH = 100
GONE = 410
#: The receiver says that the message itself is wrong: others may be right.
REFUSED = {400, 413, 422}
UNREADABLE = "its secret was encrypted with another SECRET_KEY: make a new one"

CLAIM = """
    UPDATE webhooks SET leased_until = clock_timestamp() + %(lease)s
    WHERE id = (
        SELECT id FROM webhooks
        WHERE disabled_at IS NULL AND next_attempt_at <= clock_timestamp()
            AND coalesce(leased_until <= clock_timestamp(), true)
            AND EXISTS (
                SELECT FROM webhook_deliveries
                WHERE webhook_id = webhooks.id AND status = 'pending')
        ORDER BY next_attempt_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id, leased_until
"""


@register_channel
class Webhooks(Channel):
    name, label = CHANNEL, "Webhooks"

    def send(self, deadline: float) -> int:
        return send(deadline)


def interest(projects: Collection[UUID]) -> dict[UUID, set[str] | None]:
    wanted: dict[UUID, set[str] | None] = {}
    enabled = Webhook.objects.filter(project__in=projects, disabled_at=None)
    for project, event_types in enabled.values_list("project", "event_types"):
        known = wanted.get(project, set())
        wanted[project] = {*known, *event_types} if event_types and known is not None else None
    return wanted


def read(project: Project, events: Sequence[Event]) -> None:
    """A delivery for each event and each webhook that wants it; again changes nothing."""
    deliveries = [
        WebhookDelivery(
            webhook=webhook,
            epoch=event.epoch,
            sequence=event.sequence,
            event_type=event.event_type,
        )
        for webhook in project.webhooks.filter(disabled_at=None)
        for event in events
        if webhook.wants(event)
    ]
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True, batch_size=500)


def send(deadline: float) -> int:
    """To all webhooks that have something due, until `time.monotonic()` says so; how many."""
    sent = 0
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, {"lease": LEASE})
            claimed = cursor.fetchone()
        if claimed is None:
            break
        webhook_id, leased_until = claimed
        try:
            sent += send_queue(webhook_id, min(deadline, time.monotonic() + TURN_SECONDS))
        finally:
            leased = Webhook.objects.filter(pk=webhook_id, leased_until=leased_until)
            leased.update(leased_until=None)
    return sent


def send_queue(webhook_id: UUID, deadline: float) -> int:
    """In order, until one fails, nothing is left or the turn is over."""
    pending = WebhookDelivery.objects.filter(
        webhook=webhook_id, webhook__disabled_at=None, status=DeliveryStatus.PENDING
    )
    sent = 0
    while True:
        deliveries = list(pending.select_related("webhook").order_by("sequence", "pk")[:BATCH])
        events = events_of(deliveries)
        for delivery in deliveries:
            if time.monotonic() > deadline:
                return sent
            if not attempt(delivery, events.get((delivery.epoch, delivery.sequence))):
                return sent
            sent += 1
        if len(deliveries) < BATCH:
            return sent


def events_of(deliveries: Sequence[WebhookDelivery]) -> dict[tuple[str, int], Event]:
    if not deliveries:
        return {}
    rows = Event.objects.filter(
        project=deliveries[0].webhook.project_id,
        sequence__in={delivery.sequence for delivery in deliveries},
    )
    return {(event.epoch, event.sequence): event for event in rows}


def attempt(delivery: WebhookDelivery, event: Event | None) -> bool:
    """Send it once and note how that went; whether the queue may go on."""
    if event is None and not delivery.is_test:
        delivery.drop(timezone.now(), "The event is no longer in the log.")
        keep(delivery)
        return True
    began, status, error = time.monotonic(), None, ""
    try:
        body = body_of(delivery, event)
        headers = headers_of(delivery, body)
        # A receiver may be slow, and connections are few.
        release_connection()
        status = post(delivery.webhook.url, body, headers)
    except Unreadable:
        error = UNREADABLE
    except NotDelivered as reason:
        error = f"{str(reason)[:1].upper()}{str(reason)[1:]}."
    failpoint("after_notification_before_record")
    seconds = time.monotonic() - began
    NOTIFICATION_SECONDS.labels(CHANNEL).observe(seconds)
    delivery.response_status, delivery.duration_ms = status, round(seconds * 1000)
    if status is not None and 200 <= status < 300:
        delivery.succeed(timezone.now())
        keep(delivery)
        if delivery.webhook.failures:
            Webhook.objects.filter(pk=delivery.webhook_id).update(failures=0, failing_since=None)
            delivery.webhook.failures = 0
        return True
    return note_failure(delivery, error or answered(status))


def answered(status: int) -> str:
    if 300 <= status < 400:
        return f"It answered {status}: redirects are not followed. Give the address it points to."
    return f"It answered {status}."


def note_failure(delivery: WebhookDelivery, error: str) -> bool:
    """Whether the queue may go on all the same."""
    now, webhook, status = timezone.now(), delivery.webhook, delivery.response_status
    is_refused = status in REFUSED and delivery.attempts + 1 >= REFUSALS_MAX
    delivery.fail(now, error, is_final=is_refused or delivery.is_test or status == GONE)
    keep(delivery)
    if status == GONE:
        try:
            disable_webhook(webhook, "the receiver answered 410 Gone.")
        except DomainError:
            pass  # deleted or erased meanwhile
        return False
    if delivery.is_test or is_refused:
        return True
    webhook.failures += 1
    Webhook.objects.filter(pk=webhook.pk).update(
        failures=webhook.failures,
        failing_since=webhook.failing_since or now,
        next_attempt_at=now + retry_delay(webhook.failures),
    )
    if delivery.status == DeliveryStatus.DEAD:
        # So are all that waited behind it for as long.
        late = webhook.deliveries.filter(status=DeliveryStatus.PENDING, retry_until__lte=now)
        late.update(status=DeliveryStatus.DEAD, finished_at=now, error=error[:ERROR_MAX])
    logger.info("webhook failed", extra={"webhook": str(webhook.pk), "error": error})
    return False


def keep(delivery: WebhookDelivery) -> None:
    """Where it is still to be sent: it may have been deleted meanwhile, with its webhook."""
    names = (*WebhookDelivery.RESULT, "response_status", "duration_ms")
    rows = WebhookDelivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING)
    rows.update(**{name: getattr(delivery, name) for name in names})
    result = "failed" if delivery.status == DeliveryStatus.PENDING else delivery.status
    NOTIFICATIONS.labels(CHANNEL, str(result)).inc()
