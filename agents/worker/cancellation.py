"""Ends work in progress before it is done.

Nothing is raised into the middle of running code. A model call is ended by cancelling its asyncio
task, a sandboxed program by its warden, and Python code of a role looks by itself before each call
of a model and each effect. What comes too late is refused by the fence of the claim.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from agents.providers.event_loop import run_on_loop

if TYPE_CHECKING:
    from agents.services import Claim

T = TypeVar("T")


class WorkCancelled(BaseException):
    """The work must end now. Not an Exception: no role may catch it by accident."""


class StopRequested(WorkCancelled):
    """An emergency stop covers the task."""


class LeaseLost(WorkCancelled):
    """The task was cancelled or taken over: it is no longer ours."""


class TimeLimitReached(WorkCancelled):
    """The work takes longer than it may."""


class WorkerStopping(WorkCancelled):
    """The worker is asked to stop; it hands back all its tasks in one go."""


class Cancellation:
    """Of the work on one claim. `ask` asks the database, and raises where the work may not go on.

    The lease keeper requests it, from its own thread.
    """

    def __init__(self, claim: "Claim", ask: Callable[["Claim"], None]) -> None:
        self.claim = claim
        self.started_at = time.monotonic()
        #: There is a conversation to be emptied once the work is handed in.
        self.has_conversation = False
        self._ask = ask
        self._reason: type[WorkCancelled] | None = None
        self._interrupts: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    @property
    def lease(self) -> tuple[UUID, int]:
        """The task and the fence."""
        return self.claim.task.pk, self.claim.fence

    @property
    def age(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self.started_at

    @property
    def is_requested(self) -> bool:
        return self._reason is not None

    def request(self, reason: type[WorkCancelled]) -> None:
        """End what is running. Repeated until the work has ended, for code may swallow it once."""
        with self._lock:
            self._reason = self._reason or reason
            for interrupt in self._interrupts:
                interrupt()

    def check(self) -> None:
        """Before each model call and each effect. Raises a WorkCancelled."""
        self.raise_if_requested()
        self._ask(self.claim)

    def raise_if_requested(self) -> None:
        if self._reason is not None:
            raise self._reason

    @contextmanager
    def interrupted_by(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """A request before the end calls `interrupt`, which must return at once.

        Raises the WorkCancelled at the end of the context, or before it begins.
        """
        with self._lock:
            self.raise_if_requested()
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            # Under the lock: once it is removed, nobody is in the middle of calling it.
            with self._lock:
                self._interrupts.remove(interrupt)
            self.raise_if_requested()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Its result, from the event loop of model calls. Raises a WorkCancelled."""

        async def wait() -> T:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            try:
                with self.interrupted_by(lambda: loop.call_soon_threadsafe(task.cancel)):
                    return await coroutine
            finally:
                coroutine.close()

        return run_on_loop(wait())


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def current_cancellation() -> Cancellation | None:
    """Of the work that this code belongs to; None outside of a worker."""
    return _current.get()


@contextmanager
def as_current(cancellation: Cancellation) -> Iterator[None]:
    token = _current.set(cancellation)
    try:
        yield
    finally:
        _current.reset(token)
