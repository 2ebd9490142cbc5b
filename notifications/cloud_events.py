"""An event of the log as other systems get it: CloudEvents 1.0, signed by Standard Webhooks."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from standardwebhooks.webhooks import Webhook as Signer

from audit.chain import time_text
from audit.models import Event
from audit.serialization import to_wire
from core.encryption import decrypt
from notifications.models import Webhook, WebhookDelivery

PURPOSE = "webhooks"
CONTENT_TYPE = "application/cloudevents+json"
TEST = "webhook_test"


def body_of(delivery: WebhookDelivery, event: Event | None) -> bytes:
    """`event` is None for a test."""
    webhook = delivery.webhook
    data: dict[str, Any] = {"message": "A test: the webhook works.", "webhook": str(webhook.pk)}
    cloud_event = {
        "specversion": "1.0",
        "id": delivery.message_id,
        "source": f"urn:paraph:project:{webhook.project_id}",
        "type": f"paraph.{delivery.event_type}",
        "time": time_text(event.created_at if event else delivery.created_at),
        "datacontenttype": "application/json",
    }
    if event is not None:
        data = to_wire(event)
        if subject := event.hitl_request or event.task:
            cloud_event["subject"] = str(subject)
    text = json.dumps(cloud_event | {"data": data}, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def headers_of(delivery: WebhookDelivery, body: bytes) -> dict[str, str]:
    """Signed by each secret that is valid now. Raises core.encryption.Unreadable."""
    now = datetime.now(UTC)
    signatures = [
        Signer(secret).sign(delivery.message_id, now, body.decode())
        for secret in secrets_of(delivery.webhook, now)
    ]
    return {
        "content-type": CONTENT_TYPE,
        "user-agent": f"Paraph/{settings.VERSION}",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    secrets = [decrypt(webhook.secret, purpose=PURPOSE)]
    if webhook.previous_until is not None and webhook.previous_until > now:
        secrets.append(decrypt(webhook.previous_secret, purpose=PURPOSE))
    return secrets
