"""Webhooks of a project: who made them, their secrets, and what went to them."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.queue import enqueue
from audit.actors import Actor
from audit.event_types import event_types as known_types
from audit.models import Stream
from core.authentication import hash_key
from core.encryption import encrypt
from core.errors import Conflict, InvalidInput, NotFound
from core.text import is_storable
from notifications.cloud_events import PURPOSE, TEST
from notifications.enums import DeliveryStatus
from notifications.events import (
    WEBHOOK_CREATED,
    WEBHOOK_DELETED,
    WEBHOOK_DISABLED,
    WEBHOOK_ENABLED,
    WEBHOOK_ROTATED,
)
from notifications.http_client import refusal_of
from notifications.models import Webhook, WebhookDelivery
from projects.access import MANAGE
from projects.transaction import ProjectTransaction

TELL = "notifications.tasks.tell"
WEBHOOKS_MAX = 20
URL_MAX = 2000
#: For so long what is sent is signed by the old secret, too.
OVERLAP = timedelta(hours=24)


def new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def check_url(url: str) -> str:
    """Raises InvalidInput. A name is looked up each time that something is sent, not here."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # no part of it is empty, or longer than 63 characters
    except ValueError:
        host, port = "", None
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    if not host or parts.scheme not in ("http", "https") or port == 0 or not is_plain:
        detail = "Give an address such as https://example.org/hooks/paraph, in ASCII."
        raise InvalidInput.of("url", "invalid", detail)
    if len(url) > URL_MAX:
        raise InvalidInput.of("url", "max_length", f"Use at most {URL_MAX:,} characters.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        detail = "Leave out user, password and fragment: each message is signed."
        raise InvalidInput.of("url", "invalid", detail)
    if refusal := refusal_of(host):
        raise InvalidInput.of("url", "address_forbidden", refusal)
    return url


def create_webhook(
    *, project_id: UUID, actor: Actor, url: str, event_types: Sequence[str] = ()
) -> tuple[Webhook, str]:
    """A webhook and its secret, which is shown once. It is told of what happens from now on.

    Raises NotFound, Forbidden, InvalidInput, Conflict `too_many`.
    """
    url = check_url(url.strip())
    unknown = sorted(set(event_types) - set(known_types.values))
    if unknown:
        names = ", ".join(name[:40] for name in unknown[:5] if is_storable(name))
        detail = f"There are no events of the type {names}. GET audit/events/ shows what there is."
        raise InvalidInput.of("event_types", "invalid_choice", detail)
    secret = new_secret()
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        if tx.project.webhooks.count() >= WEBHOOKS_MAX:
            detail = f"A project has at most {WEBHOOKS_MAX} webhooks. Delete one first."
            raise Conflict("too_many", detail)
        webhook = Webhook.objects.create(
            project=tx.project,
            url=url,
            event_types=sorted(set(event_types)),
            secret=encrypt(secret, purpose=PURPOSE),
            created_by=actor.user,
            after=_next_sequence(tx),
        )
        tx.record(
            WEBHOOK_CREATED,
            webhook=str(webhook.pk),
            host=webhook.host,
            event_types=webhook.event_types,
            **_mark(webhook),
        )
    return webhook, secret


def rotate_secret(*, project_id: UUID, actor: Actor, webhook_id: UUID) -> tuple[Webhook, str]:
    """A new secret; for a day everything is signed by both. Raises NotFound, Forbidden."""
    secret = new_secret()
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        webhook = tx.lock(Webhook, webhook_id)
        webhook.previous_secret, webhook.previous_until = webhook.secret, timezone.now() + OVERLAP
        webhook.secret = encrypt(secret, purpose=PURPOSE)
        webhook.save(update_fields=["secret", "previous_secret", "previous_until"])
        facts = {"webhook": str(webhook.pk), "host": webhook.host}
        tx.record(WEBHOOK_ROTATED, **facts, **_mark(webhook))
    return webhook, secret


def delete_webhook(*, project_id: UUID, actor: Actor, webhook_id: UUID) -> None:
    """With what it has not been told of. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        webhook = tx.lock(Webhook, webhook_id)
        tx.record(WEBHOOK_DELETED, webhook=str(webhook.pk), host=webhook.host)
        webhook.delete()


def enable_webhook(*, project_id: UUID, actor: Actor, webhook_id: UUID) -> Webhook:
    """Turn it on again; what it was not told of while it was off stays untold. Idempotent."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        webhook = tx.lock(Webhook, webhook_id)
        if webhook.disabled_at is not None:
            webhook.enable()
            webhook.after = _next_sequence(tx)
            webhook.save()
            tx.record(WEBHOOK_ENABLED, webhook=str(webhook.pk), host=webhook.host)
    return webhook


def disable_webhook(webhook: Webhook, reason: str) -> None:
    """The system's act, because the receiver said so. What waits for it is given up."""
    with ProjectTransaction(webhook.project_id, Actor.of_system("notifications")) as tx:
        row = tx.lock(Webhook, webhook.pk)
        if row.disabled_at is None:
            row.disable(reason)
            row.save(update_fields=["disabled_at", "disabled_reason"])
            tx.record(WEBHOOK_DISABLED, webhook=str(row.pk), host=row.host, reason=reason)
        row.deliveries.filter(status=DeliveryStatus.PENDING).update(
            status=DeliveryStatus.DEAD, finished_at=timezone.now(), error=f"Not sent: {reason}"
        )


def send_test(*, project_id: UUID, actor: Actor, webhook_id: UUID) -> WebhookDelivery:
    """Send something that is no event, before everything that waits. Raises NotFound, Forbidden,
    Conflict `webhook_disabled`."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        webhook = tx.lock(Webhook, webhook_id)
        _check_enabled(webhook)
        delivery = WebhookDelivery.objects.create(
            webhook=webhook, epoch=secrets.token_hex(8), sequence=0, event_type=TEST
        )
        _hurry(webhook)
    return delivery


def send_again(
    *, project_id: UUID, actor: Actor, webhook_id: UUID, delivery_id: UUID | None = None
) -> list[WebhookDelivery]:
    """What was given up, or all of it, with the same ids. Raises NotFound, Forbidden, Conflict."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        webhook = tx.lock(Webhook, webhook_id)
        _check_enabled(webhook)
        deliveries = webhook.deliveries.select_for_update()
        if delivery_id is None:
            chosen = list(deliveries.filter(status=DeliveryStatus.DEAD))
        else:
            chosen = list(deliveries.filter(pk=delivery_id))
            if not chosen:
                raise NotFound("not_found", "There is no such delivery.")
        for delivery in chosen:
            delivery.send_again(timezone.now())
        WebhookDelivery.objects.bulk_update(
            chosen, ["status", "finished_at", "attempts", "retry_until"], batch_size=500
        )
        _hurry(webhook)
    return chosen


def _mark(webhook: Webhook) -> dict[str, str]:
    """By which the row is held against the log; of the address every member sees the host alone."""
    return {"mark": hash_key(f"{webhook.secret}:{webhook.url}")}


def _next_sequence(tx: ProjectTransaction) -> int:
    """Of the one event that this transaction records."""
    return Stream.objects.get(project=tx.project.pk).sequence + 1


def _check_enabled(webhook: Webhook) -> None:
    if webhook.disabled_at is not None:
        detail = f"The webhook is off: {webhook.disabled_reason} Turn it on again first."
        raise Conflict("webhook_disabled", detail)


def _hurry(webhook: Webhook) -> None:
    """Its queue is looked at now, whenever the next attempt was to be."""
    webhook.next_attempt_at = timezone.now()
    webhook.save(update_fields=["next_attempt_at"])
    project_id = webhook.project_id
    transaction.on_commit(lambda: enqueue(TELL, project_id), robust=True)
