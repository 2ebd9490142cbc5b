"""All that a server can verify of one log, and what it cannot: for the API and the page."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

from audit.checkpoints import KEY, NoCheckpoint, latest_signed, problem_of_leaves, public_key
from audit.models import Leaf, LogVerification
from audit.notes import SignedTree
from audit.rows import RowVerification, verify_rows
from audit.schedule import TREE
from audit.verification import Verification, verify_stream
from core.database import consistent_snapshot

# Beyond it the whole tree takes seconds, which is for the schedule.
MOST_LEAVES = 200_000
NOT_COMPARED = (
    "times, the status of tasks, what models and agents said (transcripts, files of a workspace), "
    "what an action resulted in, sessions, the secrets of second factors, further mail addresses"
)


@dataclass(frozen=True)
class CheckpointVerification:
    """`holds`: None where nobody has checked it. `checked_by`: 'server', 'schedule' or ''."""

    holds: bool | None
    detail: str
    checked_by: str = ""
    checked_at: datetime | None = None
    #: How many events of the installation, and of this log, were signed.
    size: int | None = None
    covered: int | None = None


@dataclass(frozen=True)
class FullVerification:
    chain: Verification
    rows: RowVerification
    checkpoint: CheckpointVerification

    @property
    def valid(self) -> bool:
        return self.chain.valid and not self.rows.problems and self.checkpoint.holds is not False

    @property
    def not_checked(self) -> list[str]:
        """In sentences: nothing of it is proved by the rest."""
        texts, checkpoint = [], self.checkpoint
        if checkpoint.holds is None:
            texts.append(f"Whether this is the log that was signed: {checkpoint.detail}")
        elif checkpoint.checked_by == "schedule":
            texts.append("The signature, by this server: the schedule's word is a row, too.")
        elif checkpoint.holds and (later := self.chain.head_sequence - checkpoint.covered):
            texts.append(
                f"{later} events since the last checkpoint: who has the database can still write "
                "them anew, with all that they are about."
            )
        texts.append(
            "Whether somebody who has the signing key as well has signed another log: hold it "
            "against a checkpoint that was kept elsewhere, by manage.py verify_audit --checkpoint."
        )
        texts.append(f"Rows that are in no event: {NOT_COMPARED}.")
        return texts


def verify_fully(project_id: UUID) -> FullVerification:
    """Changes nothing. Takes a second where there are ten thousands of events."""
    return FullVerification(
        verify_stream(project_id), verify_rows(project_id), _verify_signed(project_id)
    )


def _verify_signed(project_id: UUID) -> CheckpointVerification:
    """The signature, the root, and that it is about these events: the chain is held against each
    leaf of this log anyway."""
    folder = settings.CHECKPOINT_DIR
    try:
        # Its absence must not make a key.
        if not folder or not (Path(folder) / KEY).exists():
            return _by_schedule("this server has no checkpoints to check (CHECKPOINT_DIR).")
        signed = latest_signed(public_key())
    except NoCheckpoint:
        # Which file it is, is for verify_audit: members read this.
        detail = "The last checkpoint is not one that this installation's key has signed."
        return CheckpointVerification(False, detail, "server")
    except OSError:
        return _by_schedule("this server cannot read the checkpoints.")
    if signed is None:
        return CheckpointVerification(None, "no checkpoint has been made yet.")
    if signed.size > MOST_LEAVES:
        detail = f"{signed.size:,} events were signed, too many to hash in one request."
        return _by_schedule(detail)
    return _verified(signed, project_id)


def _verified(signed: SignedTree, project_id: UUID) -> CheckpointVerification:
    with consistent_snapshot():
        problem = problem_of_leaves(signed)
        covered = Leaf.objects.filter(project=project_id, index__lt=signed.size).count()
    detail = problem or (
        f"The signature of {signed.origin} over {signed.size:,} events of the installation holds, "
        f"and {covered:,} events of this log are among them."
    )
    return CheckpointVerification(not problem, detail, "server", None, signed.size, covered)


def _by_schedule(reason: str) -> CheckpointVerification:
    """What an hourly look at the whole tree has found, where there was one."""
    last = LogVerification.objects.filter(subject=TREE).first()
    if last is None:
        return CheckpointVerification(None, f"{reason} Nor has the schedule looked yet.")
    # What differs may be another project's.
    found = "it differed, and verify_audit says where" if last.problem else "it held"
    detail = f"By the schedule at {last.verified_at:%Y-%m-%d %H:%M} UTC: {found}; {reason}"
    return CheckpointVerification(not last.problem, detail, "schedule", last.verified_at)
