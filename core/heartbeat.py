"""Signs of life: a file whose time says when the loop that does the work last came round.

`HEARTBEAT_FILE` names it; without it nothing is written. Only the thread of a loop beats, so a loop
that hangs falls silent, whatever else the process does. Who waits for the database beats as well:
its outage is not ours. A time in the future says that work which takes that long was announced.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How often a loop beats, and how long it may be silent before its process is started again.
BEAT_SECONDS = 1.0
SILENT_SECONDS = 10.0

_thread = threading.local()
# A forked child is no loop of its parent's.
os.register_at_fork(after_in_child=lambda: _thread.__dict__.clear())


class Heartbeat:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.beaten_at = float("-inf")
        self.is_announced = False

    def beat(self) -> None:
        now = time.monotonic()
        if self.is_announced or now - self.beaten_at < BEAT_SECONDS:
            return
        self.beaten_at = now
        self.write(time.time())

    def write(self, moment: float) -> None:
        try:
            # Of a file that exists: that needs no space on a disk that is full.
            os.utime(self.path, (moment, moment))
        except OSError:
            try:
                self.path.touch()
            except OSError:
                pass


def begin(part: str = "") -> None:
    """This thread is a loop; the first of its process needs no name, each other one has its own."""
    if path := os.environ.get("HEARTBEAT_FILE"):
        _thread.heartbeat = heartbeat = Heartbeat(Path(f"{path}.{part}" if part else path))
        try:
            # For a probe, which may end a process that hangs.
            heartbeat.path.write_text(str(os.getpid()))
        except OSError:
            pass
        beat()


def beat() -> None:
    """The loop of this thread came round; does nothing in a thread that is no loop."""
    if heartbeat := getattr(_thread, "heartbeat", None):
        heartbeat.beat()


@contextmanager
def long_work(seconds: float) -> Iterator[None]:
    """What runs inside is silent, and takes that long at most: a library in C, say."""
    heartbeat = getattr(_thread, "heartbeat", None)
    if heartbeat is None or heartbeat.is_announced:
        yield
        return
    heartbeat.is_announced = True
    heartbeat.write(time.time() + seconds)
    try:
        yield
    finally:
        heartbeat.is_announced, heartbeat.beaten_at = False, float("-inf")
        heartbeat.beat()
