import asyncio
from typing import Any

from agents.protocols import Assignment, Reply


class EndlessModel:
    """Never answers, so that every worker is in the middle of a call."""

    async def produce(self, assignment: Assignment, **named: Any) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError("it answered")
