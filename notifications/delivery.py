"""One round over all channels."""

import logging
import time
from datetime import timedelta

from django.db.models.functions import Now

from notifications.channel import channels
from notifications.models import Notification, PushSubscription, WebhookDelivery

logger = logging.getLogger(__name__)

FORGET_BATCH = 5_000


def send_all(deadline: float) -> int:
    """A channel that fails does not keep the others from sending."""
    sent = 0
    for channel in channels:
        try:
            # Each gets some time, also after one that took all of it.
            sent += channel.send(max(deadline, time.monotonic() + 1))
        except Exception:
            logger.exception("channel failed", extra={"part": channel.name})
    return sent


def forget_old(age: timedelta) -> int:
    forgotten = 0
    for model in (WebhookDelivery, Notification):
        old = model.objects.filter(finished_at__lt=Now() - age).values("pk")[:FORGET_BATCH]
        forgotten += model.objects.filter(pk__in=old).delete()[0]
    PushSubscription.objects.filter(disabled_at__lt=Now() - age).delete()
    return forgotten
