"""Failpoints: places where a test may kill this process, to see that nothing is lost there.

`FAULT=<point>:<nth>[,<point>:<nth>...]` kills the process with SIGKILL when it hits a failpoint for
the nth time. With FAULT_TOKENS, a folder, a process dies only if it can take away the file
`<point>` in it, from the nth time on: so a test chooses the moment, and how many die. A file with
the text `stop` stops the process (SIGSTOP) instead, `fail` raises FailpointError. Only with the
setting FAILPOINTS_ALLOWED.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

POINTS = (
    "after_claim",
    "before_effect",
    "after_effect_before_record",
    "after_notification_before_record",
    "before_commit",
    "after_commit_before_enqueue",
    "after_commit_before_hint",
    "after_publish_before_mark",
    "in_replay",
    "in_heartbeat",
    "between_pop_and_bookkeeping",
    "in_advance",
)


class FailpointError(RuntimeError):
    """Raised at a failpoint whose token says `fail`."""


class Failpoints:
    def __init__(self, plan: str, tokens: Path | None = None) -> None:
        self.nth: dict[str, int] = {}
        for entry in filter(None, plan.split(",")):
            point, _, nth = entry.partition(":")
            if point not in POINTS:
                names = ", ".join(POINTS)
                raise ValueError(f"FAULT: there is no failpoint {point!r}. Use one of: {names}.")
            self.nth[point] = int(nth or 1)
        self.tokens = tokens
        self.hits: Counter[str] = Counter()

    def hit(self, point: str) -> None:
        if point not in self.nth:
            return
        self.hits[point] += 1
        if self.tokens is None:
            if self.hits[point] == self.nth[point]:
                os.kill(os.getpid(), signal.SIGKILL)
        elif self.hits[point] >= self.nth[point]:
            token = self.tokens / point
            taken = token.with_name(f"{point}.{os.getpid()}")
            try:
                token.rename(taken)
            except FileNotFoundError:
                return
            action = taken.read_text()
            if action == "fail":
                raise FailpointError
            os.kill(os.getpid(), signal.SIGSTOP if action == "stop" else signal.SIGKILL)


def _nothing(point: str) -> None:
    pass


def load_failpoint() -> Callable[[str], None]:
    plan = os.environ.get("FAULT", "")
    if not plan or not getattr(settings, "FAILPOINTS_ALLOWED", False):
        return _nothing
    tokens = os.environ.get("FAULT_TOKENS")
    return Failpoints(plan, Path(tokens) if tokens else None).hit


# Chosen once: where none is allowed a failpoint costs the call of an empty function.
failpoint = load_failpoint()
