"""The hash chain. An event's hash covers its header, which covers its payload by a salted hash.

Contents can be erased later (data and salt removed) and the chain still verifies.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from audit.canonical import canonical, digest

HEADER_FIELDS = (
    "project",
    "epoch",
    "sequence",
    "event_type",
    "event_source",
    "actor",
    "task",
    "hitl_request",
    "metadata",
    "created_at",
    "payload_hash",
    "previous_hash",
)


def payload_hash(salt: str, data: Any) -> str:
    """`salt`: 16 bytes as hex."""
    return digest("countersign.event.payload.v1", bytes.fromhex(salt), canonical(data))


def event_hash(event: Mapping[str, Any]) -> str:
    """`event` in its public form (ids as strings, time as text)."""
    return digest(
        "countersign.event.header.v1", canonical({name: event[name] for name in HEADER_FIELDS})
    )


def time_text(moment: datetime) -> str:
    """Microseconds, UTC, always the same length: `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
