"""One round over all channels."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db.models.functions import Now

from notifications.channels import webhook
from notifications.models import WebhookDelivery

logger = logging.getLogger(__name__)

CHANNELS: dict[str, Callable[[float], int]] = {webhook.CHANNEL: webhook.send}
FORGET_BATCH = 5_000


def send_all(deadline: float) -> int:
    """A channel that fails does not keep the others from sending."""
    sent = 0
    for name, send in CHANNELS.items():
        try:
            # Each gets some time, also after one that took all of it.
            sent += send(max(deadline, time.monotonic() + 1))
        except Exception:
            logger.exception("channel failed", extra={"part": name})
    return sent


def forget_old(age: timedelta) -> int:
    old = WebhookDelivery.objects.filter(finished_at__lt=Now() - age)
    return WebhookDelivery.objects.filter(pk__in=old.values("pk")[:FORGET_BATCH]).delete()[0]
