"""The log that comes with an import: is it one chain, and does anybody vouch for it."""

import json
from dataclasses import dataclass

from audit.archive_verifier import Broken, Log
from orchestrator.engine.imports.archive import Archive

INVALID_EVENT = (Broken, ValueError, KeyError, TypeError, RecursionError)


@dataclass(frozen=True)
class Trail:
    """`first_broken_sequence` is None where the chain holds; a missing trail has no events."""

    events: int
    head_hash: str
    first_broken_sequence: int | None


def verify_trail(lines: bytes) -> Trail:
    """Whether the exported events are one unbroken chain; not who wrote it."""
    log, number = Log(), 0
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            log.read(json.loads(line))
        except INVALID_EVENT:
            return Trail(number - 1, log.head, number)
        if log.last != number:
            return Trail(number - 1, "", number)
    return Trail(number, log.head, log.unexplained or None)


def is_vouched_for(archive: Archive, trail: Trail) -> bool:
    """Whether a signed checkpoint of the installation it comes from includes the trail's head.

    Anybody can write a chain, and cut one at its end. Exports carry no checkpoint yet, and no key
    of another installation is known here: so nothing is vouched for.
    """
    return False
