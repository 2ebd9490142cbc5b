"""Keeps the leases of this process's tasks alive, from a thread with its own database connection.

A task that was cancelled or taken over is interrupted: its result would be refused anyway.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseAway
from django.db import connection

from agents.services import Claim, renew_leases
from core.failpoints import failpoint

logger = logging.getLogger(__name__)

INTERRUPT = signal.SIGUSR2


class LeaseLost(BaseException):
    """The task is no longer ours. Not an Exception: no role may catch it by accident."""


class Heart:
    """One a process. Touches the database only for tasks older than a heartbeat."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._held: dict[UUID, int] = {}
        self._due: dict[UUID, float] = {}
        self._at_work: dict[UUID, int] = {}
        self._change = threading.Condition()
        threading.Thread(target=self._beat_forever, name="heart", daemon=True).start()

    def hold(self, claim: Claim) -> None:
        with self._change:
            self._held[claim.task.pk] = self._at_work[claim.task.pk] = claim.fence
            self._due[claim.task.pk] = time.monotonic() + settings.TASK_HEARTBEAT_SECONDS
            self._change.notify_all()

    def holds(self, claim: Claim) -> bool:
        """Without a lock: a signal handler asks."""
        return self._held.get(claim.task.pk) == claim.fence

    def let_go(self, claim: Claim) -> None:
        with self._change:
            self._held.pop(claim.task.pk, None)
            self._due.pop(claim.task.pk, None)
            self._at_work.pop(claim.task.pk, None)
            self._change.notify_all()

    def claims_at_work(self) -> dict[UUID, int]:
        """The fences of what this process works on, interrupted or not, until it has ended."""
        with self._change:
            return dict(self._at_work)

    def wait_until_left(self, claims: dict[UUID, int], seconds: float) -> bool:
        """Whether none of these claims is worked on any more, at the latest after `seconds`."""
        with self._change:
            return self._change.wait_for(
                lambda: not claims.items() & self._at_work.items(), seconds
            )

    def _beat_forever(self) -> None:
        while True:
            due = self._wait_for_due()
            try:
                failpoint("in_heartbeat")
                lost = set(due) - renew_leases(due)
            except DatabaseAway as error:
                # The lease has room for two more tries; after that the fence protects.
                said = {"tasks": [str(pk) for pk in due], "error": repr(error)}
                logger.warning("heartbeat failed", extra=said)
                lost = set()
                connection.close()
            self._schedule_next(set(due) - lost)
            self.interrupt(lost)

    def _wait_for_due(self) -> dict[UUID, int]:
        with self._change:
            while True:
                now = time.monotonic()
                due = {pk: self._held[pk] for pk, at in self._due.items() if at <= now}
                if due:
                    return due
                wait = min(self._due.values()) - now if self._due else None
                if wait is None:
                    connection.close()
                self._change.wait(wait)

    def _schedule_next(self, renewed: set[UUID]) -> None:
        with self._change:
            for pk in renewed & set(self._due):
                self._due[pk] = time.monotonic() + settings.TASK_HEARTBEAT_SECONDS

    def interrupt(self, lost: set[UUID]) -> None:
        """End the work on these tasks in the middle, where it is the main thread's."""
        with self._change:
            if not lost & set(self._held):
                return
            for pk in lost:
                self._held.pop(pk, None)
                self._due.pop(pk, None)
        logger.warning("work interrupted", extra={"tasks": [str(pk) for pk in lost]})
        os.kill(self.pid, INTERRUPT)


_heart: Heart | None = None
_at_work: Claim | None = None  # of the main thread, which alone gets signals


def get_heart() -> Heart:
    """The one of this process."""
    global _heart
    if _heart is None or _heart.pid != os.getpid():
        _heart = Heart()
    return _heart


def _interrupt_work(signum: int, frame: object) -> None:
    """An interrupt that comes late, when the work is over or other work has begun, does nothing."""
    global _at_work
    if _at_work is None or get_heart().holds(_at_work):
        return
    _at_work = None
    raise LeaseLost


@contextmanager
def held(claim: Claim) -> Iterator[None]:
    """Hold the lease while the work runs. Raises LeaseLost into it when another takes over."""
    global _at_work
    is_main = threading.current_thread() is threading.main_thread()
    heart = get_heart()
    heart.hold(claim)
    if is_main:
        # It stays: without a handler an interrupt that comes late would kill the process.
        signal.signal(INTERRUPT, _interrupt_work)
        _at_work = claim
    try:
        if not heart.holds(claim):
            # Interrupted before there was a handler for it.
            raise LeaseLost
        yield
    finally:
        if is_main:
            _at_work = None
        heart.let_go(claim)
