"""How long the oldest message of each queue has waited: a queue that stands has nobody at work."""

import json
import time

from django.conf import settings

from ops.health.check import Finding, Status, check
from ops.health.checks.celery import QUEUES
from ops.health.clients import redis_client

# Agents take what they have room for; the others take everything at once.
LATE_SECONDS = {queue: 60 if queue == "agents" else 15 for queue in QUEUES}


@check("queues", order=7)
def check_queues() -> Finding:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis_client() as client:
        # The last of the list is the next to be taken.
        messages = {queue: client.lindex(f"{prefix}{queue}", -1) for queue in QUEUES}
    ages = {queue: age_seconds(message) for queue, message in messages.items()}
    facts = {"oldest_message_seconds": ages}
    late = [queue for queue, age in ages.items() if age > LATE_SECONDS[queue]]
    if late:
        waits = " and ".join(f"{queue} for {ages[queue]:.0f} s" for queue in late)
        return Finding(Status.DEGRADED, f"a message waits in {waits}", facts)
    return Finding(Status.HEALTHY, "every queue is being worked on", facts)


def age_seconds(message: bytes | None) -> float:
    """By the clocks of sender and reader; 0 where there is none, or an older release sent it."""
    if message is None:
        return 0.0
    sent_at = json.loads(message).get("headers", {}).get("sent_at")
    return round(max(0.0, time.time() - sent_at), 1) if sent_at else 0.0
