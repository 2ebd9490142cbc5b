"""Verification by the schedule: new events within the hour, everything within a day."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now

from audit.checkpoints import NoCheckpoint, is_configured, latest_signed, public_key, verify_tree
from audit.models import LogVerification
from audit.rows import verify_rows
from audit.verification import verify_stream
from core import sql

logger = logging.getLogger(__name__)

NEW, ALL = timedelta(minutes=30), timedelta(hours=12)
#: Stands for what was signed, in the place of a project.
TREE = "tree"


def verify_due(seconds: float = 5) -> int:
    """Logs that went on since half an hour, and all that nobody looked at for half a day, with the
    rows that they are about; the longest ago first. How many were verified in this time."""
    deadline, count = time.monotonic() + seconds, 0
    for (project,) in sql.fetch_all("logs_to_verify", new=NEW, all=ALL):
        verify_and_note(project)
        count += 1
        if time.monotonic() > deadline:
            break
    return count


def verify_and_note(project: UUID) -> str:
    """What does not hold, '' where all does."""
    chain = verify_stream(project)
    problem = ""
    if not chain.valid:
        problem = f"the log is broken at event {chain.first_broken_sequence}"
    elif rows := verify_rows(project).problems:
        problem = str(rows[0])
    note(str(project), problem, chain.head_sequence)
    return problem


def verify_signed() -> None:
    """The whole tree against the last checkpoint."""
    if not is_configured():
        return
    problem = ""
    try:
        if signed := latest_signed(public_key()):
            problem = verify_tree(signed).problem
    except NoCheckpoint as error:
        problem = str(error)
    note(TREE, problem)


def note(subject: str, problem: str, sequence: int = 0) -> None:
    if problem:
        logger.error("the log does not hold", extra={"subject": subject, "problem": problem})
    LogVerification.objects.update_or_create(
        subject=subject,
        defaults={"sequence": sequence, "problem": problem[:1000], "verified_at": Now()},
    )


def state() -> dict[str, int | None]:
    """For health and metrics. Seconds are None where there is nothing that could be late."""
    problems, verified, unverified, unsigned = sql.fetch_one("state_of_verification")
    return {
        "problems": problems,
        "verified_logs": verified,
        "unverified_seconds": None if unverified is None else round(unverified),
        "unsigned_seconds": None if unsigned is None else round(unsigned),
    }
