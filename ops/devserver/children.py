"""Keeps the children alive, and stops them in order."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import psutil

from ops.devserver.logs import LogWatch, rotate
from ops.devserver.processes import kill_group
from ops.devserver.supervisor import STOP_SIGNALS

RESTART_SECONDS = (1, 2, 4, 8, 15, 30)
# One that lived so long has earned a quick restart again.
STEADY_SECONDS = 60
# Two signals closer than this are one Ctrl-C that came twice.
SECOND_STOP_SECONDS = 0.5


class StopRequested(BaseException):
    """Raised into the start-up; once all runs, a stop is a flag instead."""


class Child(Protocol):
    name: str
    log: os.PathLike
    process: subprocess.Popen[bytes] | None
    stop_signal: signal.Signals
    stop_seconds: float

    def relaunch(self) -> None: ...


@dataclass
class Ward:
    child: Child
    watch: LogWatch
    since: float
    failures: int = 0
    due: float | None = None


class Keeper:
    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.wards: dict[str, Ward] = {}
        self.stops = 0
        self.is_starting = True
        self._stopped_at = 0.0
        self._guard = os.getppid()
        self._wakeup = self._listen()

    def _listen(self) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        return reader

    def _on_stop(self, *_: object) -> None:
        now = time.monotonic()
        if now - self._stopped_at < SECOND_STOP_SECONDS:
            return
        self._stopped_at = now
        self.stops += 1
        if self.is_starting and self.stops == 1:
            raise StopRequested

    def add(self, child: Child) -> None:
        """Takes charge of a child; starts it when it is not running."""
        rotate(child.log)
        if child.process is None:
            child.relaunch()
        self.wards[child.name] = Ward(child, LogWatch(child.log), time.monotonic())

    def keep(self) -> None:
        """Returns when somebody asks to stop, or when the guard is gone."""
        while not self.stops and os.getppid() == self._guard:
            self.tend()
            self._wait(1.0)

    def tend(self) -> None:
        for ward in self.wards.values():
            self._look_after(ward)
        self.end_strays()

    def _look_after(self, ward: Ward) -> None:
        rotate(ward.child.log)
        now = time.monotonic()
        if ward.due is None and ward.child.process.poll() is not None:
            self._bury(ward, now)
        elif ward.due is not None and now >= ward.due:
            ward.due, ward.since = None, now
            ward.child.relaunch()
        for line in ward.watch.errors():
            self.say(f"{ward.child.name}: {line}")

    def _bury(self, ward: Ward, now: float) -> None:
        child = ward.child
        kill_group(child.process.pid)
        ward.failures = 0 if now - ward.since > STEADY_SECONDS else ward.failures
        delay = RESTART_SECONDS[min(ward.failures, len(RESTART_SECONDS) - 1)]
        ward.failures += 1
        ward.due = now + delay
        code = child.process.returncode
        self.say(
            f"{child.name} ended by itself ({_cause(code)}); starting it again in {delay} s. "
            f"See {child.log}"
        )

    def end_strays(self) -> None:
        """Orphans of a dead child come to us; nobody else would end or reap them."""
        known = {ward.child.process.pid for ward in self.wards.values()}
        for process in psutil.Process().children():
            if process.pid not in known:
                self._end_stray(process)

    def _end_stray(self, process: psutil.Process) -> None:
        try:
            process.kill()
            os.waitpid(process.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ChildProcessError):
            pass

    def stop(self, *names: str, is_patient: bool = False) -> None:
        """Asks these together and waits for each; a second request to stop kills the impatient."""
        running = [self.wards[name].child for name in names if name in self.wards]
        for child in running:
            _signal(child.process, child.stop_signal)
        for child in running:
            self._await_end(child, is_patient)

    def _await_end(self, child: Child, is_patient: bool) -> None:
        deadline = time.monotonic() + child.stop_seconds
        while child.process.poll() is None and time.monotonic() < deadline:
            if self.stops > 1 and not is_patient:
                break
            self._wait(0.5)
        kill_group(child.process.pid)
        child.process.wait()

    def _wait(self, seconds: float) -> None:
        """Until a signal, a child's end included, or `seconds`."""
        if select.select([self._wakeup], [], [], seconds)[0]:
            try:
                while os.read(self._wakeup, 512):
                    pass
            except BlockingIOError:
                pass


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _cause(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
