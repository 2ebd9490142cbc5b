"""The log that comes with an import: is it one chain, and does anybody vouch for it."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from audit import merkle
from audit.archive_verifier import Broken, Log
from audit.checkpoints import NoCheckpoint, public_key
from audit.notes import BadNote, SignedTree, Verifier
from context.events import ARTIFACT_CREATED, ARTIFACT_UPDATED
from hitl.events import REQUEST_RESOLVED
from orchestrator.engine.imports.archive import Archive

INVALID_EVENT = (Broken, ValueError, KeyError, TypeError, RecursionError)
TRAIL, PROOF = "audit/events.jsonl", "audit/proof.json"
SETTLED = {"approved": "accepted", "amended": "accepted"} | dict.fromkeys(
    ("rejected", "changes_requested"), "rejected"
)
WRITTEN = (ARTIFACT_CREATED, ARTIFACT_UPDATED)
# An event that was erased has none of them.
FACTS = {"artifact", "version", "sha256", "artifact_type", "status"}
#: Artifact, number and SHA-256 of a version, as an export names them.
Named = tuple[str, int, str]


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
    """Whether a checkpoint signed by a trusted installation includes the last event of the trail.

    Anybody can write a chain. What happened there after the last event stays unknown.
    """
    if trail.first_broken_sequence is not None or not trail.events:
        return False
    try:
        proof = json.loads(archive.kept[PROOF])
        path = [base64.b64decode(hash, validate=True) for hash in proof["proof"]]
        leaf = merkle.leaf_hash(bytes.fromhex(trail.head_hash))
        root = merkle.root_of_inclusion(leaf, proof["index"], proof["size"], path)
        signed = [_signed(str(proof["checkpoint"]), key) for key in trusted_keys()]
    except INVALID_EVENT:
        return False
    return any(tree and (tree.size, tree.root) == (proof["size"], root) for tree in signed)


def trusted_keys() -> list[Verifier]:
    """TRUSTED_LOG_KEYS, and where this process knows it, the key of this installation."""
    keys = [Verifier.parse(text) for text in settings.TRUSTED_LOG_KEYS]
    try:
        return [*keys, public_key()]
    except NoCheckpoint:
        return keys


def _signed(note: str, key: Verifier) -> SignedTree | None:
    try:
        return SignedTree.parse(note, key)
    except BadNote:
        return None


def versions_of(lines: bytes) -> dict[Named, dict[str, Any]]:
    """What a trail that is vouched for says of each version: who made it, and its status at the
    end. Without those that the other installation had imported itself."""
    said: dict[tuple[str, int], dict[str, Any]] = {}
    accepted: dict[str, tuple[str, int]] = {}
    for event in map(json.loads, lines.splitlines()):
        data, settled = event["data"], {}
        if event["event_type"] in WRITTEN and data.keys() >= FACTS and not data.get("imported"):
            version = (data["artifact"], data["version"])
            kind, _, name = event["actor"].partition(":")
            said[version] = {
                "sha256": data["sha256"],
                "artifact_type": data["artifact_type"],
                "made_by": {"agent": name, "user": "person"}.get(kind, kind),
                "provider": data.get("provider", ""),
            }
            settled[version] = data["status"]
        elif event["event_type"] == REQUEST_RESOLVED and data.get("status") in SETTLED:
            for reference in data.get("versions") or ():
                settled[reference["artifact"], reference["version"]] = SETTLED[data["status"]]
        for version, status in settled.items():
            if version not in said:
                continue
            if status == "accepted":
                # One at a time: it takes the place of the one before.
                if before := accepted.get(version[0]):
                    said[before]["status"] = "superseded"
                accepted[version[0]] = version
            said[version]["status"] = status
    return {
        (artifact, number, claims.pop("sha256")): claims
        for (artifact, number), claims in said.items()
    }
