"""The log of another installation, verified as far as it can be from here."""

import json
from dataclasses import dataclass

from audit.archive_verifier import Broken, Log

NO_EVENT = (Broken, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Trail:
    """`first_broken_sequence` is None where the chain holds; a missing trail has no events."""

    events: int
    head_hash: str
    first_broken_sequence: int | None


def verify_trail(lines: bytes) -> Trail:
    """Whether the exported events are one unbroken chain. Whose it is, no chain can tell."""
    log, number = Log(), 0
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            log.read(json.loads(line))
        except NO_EVENT:
            return Trail(number - 1, log.head, number)
        if log.last != number:
            return Trail(number - 1, "", number)
    return Trail(number, log.head, log.unexplained or None)
