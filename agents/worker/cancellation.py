"""Asked directly before every call of a model: may it still be made?"""

import asyncio
from contextvars import ContextVar
from typing import Any

from django.db import connection

from agents.protocols import Model, Reply
from agents.services import Claim
from agents.stops.queries import is_stopped
from agents.worker.lease import LeaseLost

_claim: ContextVar[Claim | None] = ContextVar("claim", default=None)


class WorkStopped(BaseException):
    """An emergency stop came. Not an Exception: no role may catch it by accident."""


def check_may_call(claim: Claim) -> None:
    """Raises WorkStopped, or LeaseLost where the task is no longer ours."""
    stopped = is_stopped(claim.task, claim.fence)
    if stopped is None:
        raise LeaseLost
    if stopped:
        raise WorkStopped


async def check_may_call_again() -> None:
    """For a provider that makes several calls for one answer. As `check_may_call`."""
    claim = _claim.get()
    if claim is not None:
        await asyncio.to_thread(_check_in_thread, claim)


def _check_in_thread(claim: Claim) -> None:
    try:
        check_may_call(claim)
    finally:
        connection.close()


class Braked:
    """A model whose every call asks first."""

    def __init__(self, model: Model, claim: Claim) -> None:
        self.model = model
        self.claim = claim

    def produce(self, *arguments: Any, **wanted: Any) -> Reply:
        check_may_call(self.claim)
        token = _claim.set(self.claim)
        try:
            return self.model.produce(*arguments, **wanted)
        finally:
            _claim.reset(token)
