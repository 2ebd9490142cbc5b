"""The log of another installation, verified as far as it can be from here."""

import json
from dataclasses import dataclass
from typing import Any

from audit.chain import event_hash, payload_hash


@dataclass(frozen=True)
class Trail:
    """`first_broken_sequence` is None where the chain holds; a missing trail has no events."""

    events: int
    head_hash: str
    first_broken_sequence: int | None


def verify_trail(lines: bytes) -> Trail:
    """Whether the exported events are one unbroken chain. Whose it is, no chain can tell."""
    previous_hash, number = "", 0
    for number, line in enumerate(lines.splitlines(), start=1):
        event = _holds(line, number, previous_hash)
        if event is None:
            return Trail(number - 1, previous_hash, number)
        previous_hash = event["hash"]
    return Trail(number, previous_hash, None)


def _holds(line: bytes, sequence: int, previous_hash: str) -> dict[str, Any] | None:
    """The event, if it follows what came before. An erased payload has no salt."""
    try:
        event = json.loads(line)
        is_next = (event["sequence"], event["previous_hash"]) == (sequence, previous_hash)
        is_sealed = event["hash"] == event_hash(event)
        if event["salt"]:
            is_sealed &= event["payload_hash"] == payload_hash(event["salt"], event["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return event if is_next and is_sealed else None
