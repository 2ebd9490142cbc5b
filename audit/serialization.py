"""The one public form of an event: REST, WebSocket and export alike."""

from typing import Any

from audit.chain import time_text
from audit.models import Event


def to_wire(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "project": str(event.project),
        "epoch": event.epoch,
        "sequence": event.sequence,
        "event_type": event.event_type,
        "event_source": event.event_source,
        "actor": event.actor,
        "task": str(event.task) if event.task else None,
        "hitl_request": str(event.hitl_request) if event.hitl_request else None,
        "data": event.data,
        "salt": event.salt,
        "metadata": event.metadata,
        "created_at": time_text(event.created_at),
        "payload_hash": event.payload_hash,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }
