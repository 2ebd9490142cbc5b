import asyncio
import os
from pathlib import Path
from typing import Any

from agents.protocols import Assignment, Reply
from agents.providers.demo import DemoModel


class StuckModel(DemoModel):
    """The edge to a provider that never answers the first one who asks."""

    async def produce(self, assignment: Assignment, **named: Any) -> Reply:
        first = Path(os.environ["STUCK_AT"])
        if not first.exists():
            first.write_text(str(os.getpid()))
            await asyncio.Event().wait()
        return super().produce(assignment, **named)
