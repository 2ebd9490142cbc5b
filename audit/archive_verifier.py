#!/usr/bin/env python3
"""Verifies archived events and signed checkpoints without this product, its database or its code.

    pip install cryptography
    python3 archive_verifier.py FILE... [--head HASH] [--proof FILE --key KEY]
    python3 archive_verifier.py --checkpoint NOTE --key KEY [--later NOTE --consistency FILE]

FILE: JSON Lines, one event a line, as `manage.py archive_events` and the export of a project write
them; several files are parts of one log, in order. KEY: the public key of the installation, as
NAME+ID+KEY. `--proof`: what `audit/events/ID/proof/` answers for one of the events; that one and
all before it are then those that were signed. `--consistency`: what `audit/consistency/` answers
for the sizes of the two checkpoints; the later one then goes on from the other. Exit status 1 where
something does not hold. Written from the description in docs/audit.md, so that a mistake of the
product is not repeated.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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
    hashes: dict[int, str] = field(default_factory=dict)

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
        self.hashes[number] = self.head

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
    return hashlib.sha256(tag + salt + canonical(value).encode()).hexdigest()


def canonical(value: Any) -> str:
    """RFC 8785. Raises ValueError for what JSON cannot carry exactly."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError("an integer beyond 2**53")
    if isinstance(value, float):
        return canonical_float(value)
    return json.dumps(value, ensure_ascii=False)


def canonical_float(value: float) -> str:
    """As JavaScript writes it."""
    if value == 0 or (abs(value) < 1e21 and value.is_integer()):
        return str(int(value))
    text = json.dumps(value, allow_nan=False)
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f")
    return text.replace("e-0", "e-")


def verify(lines: Iterable[bytes], head: str | None = None) -> Log:
    """The log that holds. Raises Broken. `head`: the hash that the last event must have."""
    log = Log()
    for number, line in enumerate(lines, start=1):
        try:
            log.read(json.loads(line))
        except (KeyError, TypeError, ValueError, RecursionError):
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


@dataclass
class Checkpoint:
    """A signed note (C2SP): the first `size` events of the installation have this root."""

    origin: str
    size: int
    root: bytes
    others: list[str]

    @classmethod
    def read(cls, note: str, key: str) -> "Checkpoint":
        """Raises Broken where nobody with this key has signed it."""
        try:
            name, id, encoded = key.strip().split("+", 2)
            public = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise Broken("the key is not of the form NAME+ID+KEY") from None
        if len(public) != 33 or id != hashlib.sha256(f"{name}\n".encode() + public).hexdigest()[:8]:
            raise Broken("the key is not of the form NAME+ID+KEY")
        text, _, signatures = note.rpartition("\n\n")
        if not any(is_signature(line, name, id, public, text) for line in signatures.splitlines()):
            raise Broken(f"the checkpoint has no valid signature by {name}")
        try:
            origin, size, root, *others = text.splitlines()
            return cls(origin, int(size), base64.b64decode(root, validate=True), others)
        except ValueError:
            raise Broken("this is not a checkpoint") from None


def is_signature(line: str, name: str, id: str, public: bytes, text: str) -> bool:
    try:
        dash, signer, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if (dash, signer, signature[:4].hex()) != ("\N{EM DASH}", name, id):
            return False
        key = Ed25519PublicKey.from_public_bytes(public[1:])
        key.verify(signature[4:], f"{text}\n".encode())
        return True
    except (ValueError, InvalidSignature):
        return False


def inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def verify_proof(proof: dict[str, Any], key: str) -> Checkpoint:
    """The checkpoint that has the event of the proof in it. Raises Broken. As RFC 9162, 2.1.3.2."""
    checkpoint = Checkpoint.read(proof["checkpoint"], key)
    place, end = proof["index"], checkpoint.size - 1
    if not 0 <= place <= end:
        raise Broken("the event of the proof is outside of the checkpoint")
    root = hashlib.sha256(b"\0" + bytes.fromhex(proof["hash"])).digest()
    for step in map(base64.b64decode, proof["proof"]):
        if not end:
            raise Broken("the proof is too long")
        if place & 1 or place == end:
            root = inner(step, root)
            while place and not place & 1:
                place, end = place >> 1, end >> 1
        else:
            root = inner(root, step)
        place, end = place >> 1, end >> 1
    if end or root != checkpoint.root:
        raise Broken("the proof does not lead to the root that was signed")
    return checkpoint


def verify_consistency(old: Checkpoint, new: Checkpoint, proof: dict[str, Any]) -> None:
    """Raises Broken where the later checkpoint does not go on from the other. As RFC 9162,
    2.1.4.2."""
    if (proof["old"], proof["new"]) != (old.size, new.size):
        raise Broken(f"the proof is not of the sizes {old.size} and {new.size}")
    path = [base64.b64decode(step) for step in proof["proof"]]
    if old.size & (old.size - 1) == 0:
        path.insert(0, old.root)
    if old.size == new.size:
        path = [old.root] if len(path) <= 1 else []
    place, end = old.size - 1, new.size - 1
    while place & 1:
        place, end = place >> 1, end >> 1
    if not path:
        raise Broken("the proof has another length")
    before = after = path[0]
    for step in path[1:]:
        if not end:
            raise Broken("the proof is too long")
        if place & 1 or place == end:
            before, after = inner(step, before), inner(step, after)
            while place and not place & 1:
                place, end = place >> 1, end >> 1
        else:
            after = inner(after, step)
        place, end = place >> 1, end >> 1
    is_same = (before, after) == (old.root, new.root)
    if not is_same or (end and old.size != new.size):
        raise Broken("the later checkpoint does not go on from the earlier one")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verifies archived events, offline.")
    add_arguments(parser)
    return run(parser.parse_args(arguments), parser.error)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--head", metavar="HASH", help="what the last event's hash must be")
    parser.add_argument("--key", help="the public key that has signed: NAME+ID+KEY")
    parser.add_argument("--proof", type=Path, help="that a signed checkpoint has one of the events")
    parser.add_argument("--checkpoint", type=Path, metavar="NOTE", help="a signed checkpoint")
    parser.add_argument("--later", type=Path, metavar="NOTE", help="one that was signed later")
    parser.add_argument("--consistency", type=Path, help="that the later one goes on from it")


def run(options: argparse.Namespace, refuse: Callable[[str], Any]) -> int:
    """The exit status. `refuse` is told which options do not go together."""
    if not (options.files or options.checkpoint):
        refuse("name files with events, or --checkpoint")
    if (options.proof or options.checkpoint) and not options.key:
        refuse("--key is needed: without it, anybody may have signed")
    if not (bool(options.later) == bool(options.consistency) <= bool(options.checkpoint)):
        refuse("--checkpoint, --later and --consistency belong together")
    if options.proof and not options.files:
        refuse("--proof is about events: name their files")
    try:
        if options.files:
            tell_log(verify(lines_of(options.files), options.head), options)
        if options.checkpoint:
            tell_checkpoints(options)
    except (Broken, OSError) as error:
        print(f"broken: {error}", file=sys.stderr)
        return 1
    except (KeyError, TypeError, ValueError) as error:
        print(f"broken: the proof or note cannot be read: {error!r}", file=sys.stderr)
        return 1
    return 0


def tell_log(log: Log, options: argparse.Namespace) -> None:
    erased = f", {log.erased} of them erased" if log.erased else ""
    print(f"project {log.project}: events {log.first} to {log.last}{erased} hold, head {log.head}")
    if log.first > 1:
        print(f"What came before event {log.first} is not in these files.")
    if options.proof is None:
        print("Nothing here shows when they were written, and that none came after: see --proof.")
        return
    proof = json.loads(options.proof.read_text())
    checkpoint = verify_proof(proof, options.key)
    number = proof["sequence"]
    if log.project != proof["project"] or log.hashes.get(number) != proof["hash"]:
        raise Broken("the event of the proof is not in these files")
    print(f"Events up to {number} were signed by {checkpoint.origin}: {checkpoint.others}")


def tell_checkpoints(options: argparse.Namespace) -> None:
    signed = Checkpoint.read(options.checkpoint.read_text(), options.key)
    print(f"{signed.size} events were signed by {signed.origin}: {signed.others}")
    if options.later:
        later = Checkpoint.read(options.later.read_text(), options.key)
        verify_consistency(signed, later, json.loads(options.consistency.read_text()))
        print(f"{later.size} events were signed later, and the first {signed.size} are the same.")


if __name__ == "__main__":
    sys.exit(main())
