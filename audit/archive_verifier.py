#!/usr/bin/env python3
"""Verifies archived events without this product, its database or its code.

    pip install rfc8785
    python3 archive_verifier.py FILE... [--head HASH]

FILE: JSON Lines, one event a line, as `manage.py archive_events` and the export of a project write
them; several files are parts of one log, in order. Exit status 1 where the chain does not hold.
Written from the description in docs/audit.md, so that a mistake of the product is not repeated.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785

HASHED = (
    *("project", "epoch", "sequence", "event_type", "event_source", "actor", "task"),
    *("hitl_request", "metadata", "created_at", "payload_hash", "previous_hash"),
)
SAY_THAT_PAYLOADS_WENT = ("project_erased", "events_archived")


class Broken(Exception):
    """The log does not hold; the text says where and why."""


@dataclass
class Log:
    """What has been read so far. `unexplained`: the first erased event that no later one covers."""

    project: str = ""
    first: int = 0
    last: int = 0
    head: str = ""
    moment: str = ""
    erased: int = 0
    unexplained: int = 0

    def read(self, event: dict[str, Any]) -> None:
        """Raises Broken, KeyError, TypeError, ValueError."""
        number = event["sequence"]
        if self.last:
            need(number == self.last + 1, number, f"follows {self.last}")
            need(event["previous_hash"] == self.head, number, "does not join the one before")
            need(event["project"] == self.project, number, "is of another project")
            need(event["created_at"] >= self.moment, number, "is earlier than the one before")
        else:
            need(number > 1 or event["previous_hash"] == "", number, "names one before it")
            self.project, self.first = event["project"], number
        header = {name: event[name] for name in HASHED}
        need(sha256("header", header) == event["hash"], number, "was changed")
        self.read_payload(event, number)
        self.last, self.head, self.moment = number, event["hash"], event["created_at"]

    def read_payload(self, event: dict[str, Any], number: int) -> None:
        if event["event_type"] in SAY_THAT_PAYLOADS_WENT:
            self.unexplained = 0
        if event["salt"]:
            salt = bytes.fromhex(event["salt"])
            is_right = sha256("payload", event["data"], salt) == event["payload_hash"]
            need(is_right, number, "has other data than was recorded")
        else:
            need(event["data"] == {"erased": True}, number, "is erased and has data")
            self.erased, self.unexplained = self.erased + 1, self.unexplained or number


def need(is_so: bool, number: int, complaint: str) -> None:
    if not is_so:
        raise Broken(f"event {number} {complaint}")


def sha256(kind: str, value: Any, salt: bytes = b"") -> str:
    tag = f"countersign.event.{kind}.v1".encode() + b"\0"
    return hashlib.sha256(tag + salt + rfc8785.dumps(value)).hexdigest()


def verify(lines: Iterable[bytes], head: str | None = None) -> Log:
    """The log that holds. Raises Broken. `head`: the hash that the last event must have."""
    log = Log()
    for number, line in enumerate(lines, start=1):
        try:
            log.read(json.loads(line))
        except (KeyError, TypeError, ValueError, RecursionError, rfc8785.CanonicalizationError):
            raise Broken(f"line {number} is not an event of a log") from None
    if not log.last:
        raise Broken("there are no events")
    if log.unexplained:
        raise Broken(f"event {log.unexplained} has no data, and no later one says why")
    if head not in (None, log.head):
        raise Broken(f"the last event is {log.head}, not {head}")
    return log


def lines_of(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            yield from file


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies archived events, offline.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--head", metavar="HASH", help="what the last event's hash must be")
    options = parser.parse_args(arguments)
    try:
        log = verify(lines_of(options.files), options.head)
    except (Broken, OSError) as error:
        print(f"broken: {error}", file=sys.stderr)
        return 1
    erased = f", {log.erased} of them erased" if log.erased else ""
    print(f"project {log.project}: events {log.first} to {log.last}{erased} hold, head {log.head}")
    if log.first > 1:
        print(f"What came before event {log.first} is not in these files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
