import os
import threading
from pathlib import Path
from typing import Any

from agents.protocols import Assignment, Reply
from agents.providers.demo import DemoModel


class StuckModel(DemoModel):
    """The edge to a provider that never answers the first one who asks."""

    def produce(self, assignment: Assignment, **wanted: Any) -> Reply:
        first = Path(os.environ["STUCK_AT"])
        if not first.exists():
            first.write_text(str(os.getpid()))
            threading.Event().wait()
        return super().produce(assignment, **wanted)
