import threading
from typing import Any

from agents.protocols import Assignment, Reply


class EndlessModel:
    """Never answers, so that every worker is in the middle of a call."""

    def produce(self, assignment: Assignment, **wanted: Any) -> Reply:
        threading.Event().wait()
        raise AssertionError("it answered")
