"""Places where a test may kill this process, to see that nothing is lost there.

`FAULT=<point>:<nth>[,<point>:<nth>...]` kills the process with SIGKILL when it reaches a point for
the nth time. Where FAULT_TOKENS names a folder, a process dies only if it can take the file
`<point>` from there, from the nth time on: so a test chooses the moment, and how many die. A file
with the text `stop` stops the process (SIGSTOP) instead, `fail` raises an error. Works only with
the setting FAULT_POINTS_ALLOWED.
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
    "before_commit",
    "after_commit_before_ring",
    "after_commit_before_hint",
    "after_publish_before_mark",
    "in_replay",
    "in_heartbeat",
    "between_pop_and_bookkeeping",
    "in_advance",
)


class FailpointError(RuntimeError):
    """Raised at a point whose token says `fail`."""


class Failpoints:
    def __init__(self, plan: str, tokens: Path | None = None) -> None:
        self.nth: dict[str, int] = {}
        for part in filter(None, plan.split(",")):
            point, _, nth = part.partition(":")
            if point not in POINTS:
                raise ValueError(
                    f"FAULT: there is no point {point!r}. Use one of: {', '.join(POINTS)}."
                )
            self.nth[point] = int(nth or 1)
        self.tokens = tokens
        self.passed: Counter[str] = Counter()

    def pass_by(self, point: str) -> None:
        if point not in self.nth:
            return
        self.passed[point] += 1
        if self.tokens is None:
            if self.passed[point] == self.nth[point]:
                self.trigger("kill")
        elif self.passed[point] >= self.nth[point]:
            token = self.tokens / point
            taken = token.with_name(f"{point}.{os.getpid()}")
            try:
                token.rename(taken)
            except FileNotFoundError:
                return
            self.trigger(taken.read_text())

    def trigger(self, effect: str) -> None:
        if effect == "fail":
            raise FailpointError
        os.kill(os.getpid(), signal.SIGSTOP if effect == "stop" else signal.SIGKILL)


def _nothing(point: str) -> None:
    pass


def load_fault_point() -> Callable[[str], None]:
    plan = os.environ.get("FAULT", "")
    if not plan or not getattr(settings, "FAULT_POINTS_ALLOWED", False):
        return _nothing
    tokens = os.environ.get("FAULT_TOKENS")
    return Failpoints(plan, Path(tokens) if tokens else None).pass_by


# Chosen once: where no fault is allowed, a point costs the call of an empty function.
fault_point = load_fault_point()
