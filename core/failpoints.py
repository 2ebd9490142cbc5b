"""Places where a test may kill this process, to see that nothing is lost there.

`FAULT=<point>:<nth>[,<point>:<nth>...]` kills the process with SIGKILL when it comes by a point for
the nth time. Where FAULT_TOKENS names a folder, only who can take away the file `<point>` in it
dies, from the nth time on: so a test chooses the moment, and how many die. A file with the text
`stop` stops the process (SIGSTOP) instead, `fail` raises an error. Honoured only with the setting
FAULT_POINTS_ALLOWED.
"""

import os
import signal
from collections import Counter
from pathlib import Path

from django.conf import settings

POINTS = (
    "after_claim",
    "before_effect",
    "after_effect_before_record",
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
    """Raised at a point whose token says `fail`."""


class Faults:
    def __init__(self, plan: str, tokens: Path | None = None) -> None:
        self.nth = dict(_parsed(one) for one in plan.split(",") if one)
        self.tokens = tokens
        self.passed: Counter[str] = Counter()

    def pass_by(self, point: str) -> None:
        if point not in self.nth:
            return
        self.passed[point] += 1
        if self.tokens is not None:
            if self.passed[point] >= self.nth[point]:
                self._take(self.tokens / point)
        elif self.passed[point] == self.nth[point]:
            self._fall("kill")

    def _take(self, token: Path) -> None:
        mine = token.with_name(f"{token.name}.{os.getpid()}")
        try:
            token.rename(mine)
        except FileNotFoundError:
            return
        self._fall(mine.read_text())

    def _fall(self, how: str) -> None:
        if how == "fail":
            raise FailpointError
        os.kill(os.getpid(), signal.SIGSTOP if how == "stop" else signal.SIGKILL)


def _parsed(text: str) -> tuple[str, int]:
    point, _, nth = text.partition(":")
    if point not in POINTS:
        raise ValueError(f"FAULT: there is no point {point!r}. Use one of: {', '.join(POINTS)}.")
    return point, int(nth or 1)


def _nothing(point: str) -> None:
    pass


def _from_settings():
    plan = os.environ.get("FAULT", "")
    if not plan or not getattr(settings, "FAULT_POINTS_ALLOWED", False):
        return _nothing
    tokens = os.environ.get("FAULT_TOKENS")
    return Faults(plan, Path(tokens) if tokens else None).pass_by


# Chosen once: where no fault is allowed a point costs the call of an empty function.
fault_point = _from_settings()
