"""Signed checkpoints of the log: what the database cannot take back.

A checkpoint says that the first N events of the installation have this root. It is signed with a
key that the database does not hold, and kept in a folder that its role cannot write: whoever
rewrites the database, or puts an older one in its place, cannot make it fit.
"""

import base64
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit import merkle, timestamps, tree, witness
from audit.chain import time_text
from audit.models import Checkpoint, Event, Leaf
from audit.notes import BadNote, SignedTree, Signer, Verifier, add_signatures, write_beside
from core import sql
from core.database import consistent_snapshot

logger = logging.getLogger(__name__)

LATEST, KEY = "latest.note", "log.vkey"
# An installation where nothing happens signs so often all the same: that it is alive.
QUIET = timedelta(hours=1)


class NoCheckpoint(Exception):
    """None can be made or read; the text says why, and what to do."""


class LogRewritten(NoCheckpoint):
    """The database does not hold what was signed."""


def is_configured() -> bool:
    return bool(settings.CHECKPOINT_DIR and settings.CHECKPOINT_KEY_FILE)


def make_checkpoint(*, restored: str = "") -> Checkpoint:
    """Sign the log as it is now. Raises NoCheckpoint; LogRewritten where it no longer is what was
    signed before, unless it was `restored` from a backup, with the reason, which is signed as well.
    """
    signer, folder = _signer(), Path(settings.CHECKPOINT_DIR)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone_in(folder):
            return _sign(signer, folder, restored)
    except OSError as error:
        raise NoCheckpoint(f"CHECKPOINT_DIR cannot be written: {error}") from error


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of two processes that stop together, the one with the older state must not write last."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sign(signer: Signer, folder: Path, restored: str) -> Checkpoint:
    try:
        # Committed before anything is signed: their order is what the root is about.
        size, now = tree.grow(), timezone.now()
    except LookupError as error:
        raise LogRewritten(f"{error}: somebody has changed the tree.") from error
    previous, others = latest_signed(signer.verifier), [f"time {time_text(now)}"]
    try:
        if previous is not None:
            _check_continues(previous, size)
    except LogRewritten:
        if not restored:
            raise
        others.append(f"restored, {previous.size} events were signed before: {one_line(restored)}")
        previous = None
    root = tree.root_at(size)
    note = signer.sign(SignedTree(signer.name, size, root, tuple(others)).text())
    if settings.CHECKPOINT_WITNESS_URL:
        note = _with_cosignatures(note, size, previous.size if previous else 0)
    answer = _stamp(note) if settings.CHECKPOINT_TSA_URL else None
    _write(folder / KEY, f"{signer.verifier}\n")
    for file in (folder / f"{size:012d}-{now:%Y%m%dT%H%M%SZ}.note", folder / LATEST):
        stamped = file.with_suffix(timestamps.SUFFIX)
        # Never beside a note that it is not about.
        stamped.unlink(missing_ok=True)
        _write(file, note)
        if answer is not None:
            stamped.write_bytes(answer)
    return Checkpoint.objects.create(size=size, root=root.hex(), note=note, created_at=now)


def make_checkpoint_if_due() -> Checkpoint | None:
    """For the schedule: where something happened, or none was made for an hour."""
    if not is_configured():
        return None
    last = Checkpoint.objects.last()
    is_quiet = last is not None and timezone.now() - last.created_at < QUIET
    if is_quiet and tree.grow() == last.size and (Path(settings.CHECKPOINT_DIR) / LATEST).exists():
        return None
    return make_checkpoint()


def latest_signed(verifier: Verifier) -> SignedTree | None:
    """The last checkpoint of the folder. Raises NoCheckpoint where it is not ours."""
    try:
        note = (Path(settings.CHECKPOINT_DIR) / LATEST).read_text()
        return SignedTree.parse(note, verifier)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, BadNote) as error:
        detail = f"{settings.CHECKPOINT_DIR}/{LATEST} is no checkpoint: {error}"
        raise NoCheckpoint(detail) from error


def public_key() -> Verifier:
    """From the folder of the checkpoints, or of the private key. Raises NoCheckpoint."""
    file = Path(settings.CHECKPOINT_DIR or "/nonexistent") / KEY
    if not file.exists():
        return _signer().verifier
    try:
        return Verifier.parse(file.read_text())
    except (OSError, BadNote) as error:
        raise NoCheckpoint(f"{file} is no public key: {error}") from error


def _signer() -> Signer:
    if not is_configured():
        raise NoCheckpoint(
            "Set CHECKPOINT_DIR, the folder for signed checkpoints, and CHECKPOINT_KEY_FILE, their "
            "key, which is made at the first start."
        )
    try:
        return Signer.of_file(Path(settings.CHECKPOINT_KEY_FILE))
    except (OSError, BadNote) as error:
        raise NoCheckpoint(f"CHECKPOINT_KEY_FILE cannot be used: {error}") from error


def _check_continues(previous: SignedTree, size: int) -> None:
    """By the stored nodes: whether the events hold is a matter of verification."""
    if size < previous.size:
        raise LogRewritten(
            f"The log has {size} events, and {previous.size} were signed: an older backup was "
            "restored, or events are gone. Nothing is signed until somebody has looked into it. "
            'After a restore that you wanted: manage.py checkpoint --restored "REASON".'
        )
    try:
        is_same = tree.root_at(previous.size) == previous.root
    except LookupError:
        is_same = False
    if not is_same:
        raise LogRewritten(
            f"The first {previous.size} events are not those that were signed: the log was "
            "rewritten, or another one restored. Nothing is signed until somebody has looked into "
            'it. After a restore that you wanted: manage.py checkpoint --restored "REASON".'
        )


def _with_cosignatures(note: str, size: int, known: int) -> str:
    def prove(old: int) -> list[bytes]:
        if old > size:
            raise witness.WitnessAway(f"it has seen {old} events, and there are {size}")
        return merkle.consistency_path(old, size, tree.StoredNodes())

    try:
        lines = witness.cosign(settings.CHECKPOINT_WITNESS_URL, note, known, prove)
    except witness.WitnessAway as error:
        logger.warning("the witness has not signed", extra={"error": str(error)})
        return note
    return add_signatures(note, lines)


def _stamp(note: str) -> bytes | None:
    try:
        return timestamps.stamp(settings.CHECKPOINT_TSA_URL, note)
    except timestamps.NoStamp as error:
        logger.warning("the checkpoint was not stamped", extra={"error": str(error)})
        return None


def _write(path: Path, text: str) -> None:
    write_beside(path, text, mode=0o644).replace(path)


def one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def proof_of(event: Event) -> dict[str, Any] | None:
    """That the last checkpoint covers this event, as `audit/events/ID/proof/` answers; None where
    none does yet."""
    leaf = Leaf.objects.filter(project=event.project, sequence=event.sequence).first()
    signed = leaf and Checkpoint.objects.filter(size__gt=leaf.index).last()
    if not signed:
        return None
    path = merkle.inclusion_path(leaf.index, signed.size, tree.StoredNodes())
    return {
        "event": event.pk,
        "project": str(event.project),
        "sequence": event.sequence,
        "hash": event.hash,
        "index": leaf.index,
        "size": signed.size,
        "proof": [base64.b64encode(hash).decode() for hash in path],
        "checkpoint": signed.note,
    }


# Verification.


@dataclass(frozen=True)
class TreeVerification:
    """`problem` is '' where the first `size` events are those that were signed."""

    size: int
    problem: str = ""
    project: UUID | None = None
    sequence: int | None = None


def verify_tree(signed: SignedTree) -> TreeVerification:
    """Hold the log against a checkpoint: its leaves have the root that was signed, and each event
    that is in the database is the one of its leaf."""
    with consistent_snapshot():
        if problem := problem_of_leaves(signed):
            return TreeVerification(signed.size, problem)
        row = sql.fetch_one("leaf_without_its_event")
        if row is None:
            return TreeVerification(signed.size)
        project, sequence, is_there = row
        problem = "is not the event that was signed" if is_there else "was signed, and is gone"
        where = f"event {sequence} of project {project}"
        return TreeVerification(signed.size, f"{where} {problem}", project, sequence)


def problem_of_leaves(signed: SignedTree) -> str:
    """Why the leaves do not have the root that was signed; '' where they do."""
    size = tree.tree_size()
    if size < signed.size:
        return (
            f"the log has {size} events, {signed.size} were signed: an older backup was "
            "restored, or events are gone"
        )
    try:
        is_signed = tree.recomputed_root(signed.size) == signed.root
    except LookupError as error:
        return str(error)
    return "" if is_signed else "the hashes of the events are not those that were signed"
