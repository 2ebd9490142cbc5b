"""The children's log files: bounded in size, their errors pointed out to whoever watches."""

import re
import shutil
import time
from pathlib import Path

LIMIT_BYTES = 20 * 1024 * 1024
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|^(  )?\S*(Error|Exception): ")
SHOWN_PER_MINUTE = 3
WIDTH = 160


def rotate(log: Path) -> None:
    """Copies and empties it: whoever writes, appends, and so goes on at the new end."""
    if log.exists() and log.stat().st_size > LIMIT_BYTES:
        shutil.copy2(log, log.with_name(f"{log.name}.1"))
        with log.open("r+b") as file:
            file.truncate()


class LogWatch:
    """New error lines of one log, at most a few a minute."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.position = log.stat().st_size if log.exists() else 0
        self.shown: list[float] = []

    def errors(self) -> list[str]:
        found = [line.strip()[:WIDTH] for line in self._new_lines() if ERROR.search(line)]
        now = time.monotonic()
        self.shown = [moment for moment in self.shown if now - moment < 60]
        fresh = found[: max(0, SHOWN_PER_MINUTE - len(self.shown))]
        self.shown += [now] * len(fresh)
        return fresh

    def _new_lines(self) -> list[str]:
        if not self.log.exists():
            return []
        if self.log.stat().st_size < self.position:
            self.position = 0
        with self.log.open("rb") as file:
            file.seek(self.position)
            # A line that is still being written waits for the next look.
            whole, newline, _ = file.read().rpartition(b"\n")
        self.position += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()
