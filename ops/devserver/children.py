"""One process of the development server: in a process group of its own, its output in a log."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.heartbeat import SILENT_SECONDS
from ops.devserver import DevServerError
from ops.devserver.binaries import Account
from ops.devserver.data_dir import DataDir
from ops.devserver.runtime import PROJECT_DIR

# The first sign of life comes after the start, which takes long on a busy machine.
START_SECONDS = 120
PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 20 * 1024 * 1024
ERROR_LINE = re.compile(r"\b(ERROR|CRITICAL)\b|^(  )?\S*(Error|Exception): ")
ERRORS_PER_MINUTE = 3
ERROR_WIDTH = 160


class Child:
    """May be started again after it has ended; also holds what the supervisor notes about it."""

    def __init__(
        self,
        data_dir: DataDir,
        name: str,
        arguments: Sequence[str] = (),
        *,
        environment: Mapping[str, str],
        cwd: Path = PROJECT_DIR,
        account: Account | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_seconds: float = 10,
        pass_fds: tuple[int, ...] = (),
        ends_with_parent: bool = False,
        beats: bool = False,
    ) -> None:
        """`beats`: it touches a heartbeat file, and has hung when it does not."""
        self.data_dir, self.name, self.arguments = data_dir, name, list(arguments)
        self.environment, self.cwd, self.account = environment, cwd, account
        self.stop_signal, self.stop_seconds = stop_signal, stop_seconds
        # With the lock of the data folder's children: the next start finds by it what was left.
        self.pass_fds = (*pass_fds, data_dir.children_lock.fileno())
        self.ends_with_parent = ends_with_parent
        self.heartbeats = Heartbeats(data_dir.heartbeats / name) if beats else None
        self.log = data_dir.log(name)
        self.errors = ErrorLines(self.log)
        self.process: subprocess.Popen[bytes] | None = None
        self.group: int | None = None
        self.started_at = 0.0
        self.failures = 0
        self.restart_at: float | None = None

    def start(self) -> None:
        rotate(self.log)
        environment = dict(self.environment)
        if self.heartbeats:
            self.heartbeats.forget()
            environment["HEARTBEAT_FILE"] = str(self.heartbeats.path)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            try:
                self.process = subprocess.Popen(
                    self.arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.cwd,
                    env=environment,
                    process_group=0,
                    preexec_fn=end_with(os.getpid(), self.stop_signal)
                    if self.ends_with_parent
                    else None,
                    umask=0o077,
                    pass_fds=self.pass_fds,
                    **(self.account.popen_options() if self.account else {}),
                )
            except OSError as error:
                raise DevServerError(f"{self.name} cannot be started: {error}.") from error
        self.group = self.process.pid
        self.data_dir.pid_file.add(self.name, self.group, self.stop_signal)
        self.started_at, self.restart_at = time.monotonic(), None

    def has_hung(self) -> bool:
        if self.heartbeats is None or not self.is_running():
            return False
        seconds = self.heartbeats.silent_seconds()
        if seconds is None:
            return time.monotonic() - self.started_at > START_SECONDS
        return seconds > SILENT_SECONDS

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def request_stop(self) -> None:
        if self.is_running():
            self.process.send_signal(self.stop_signal)

    def kill(self) -> None:
        """Ends what is left of the process group; only once, because its number may be reused."""
        if self.group is None:
            return
        try:
            os.killpg(self.group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # macOS refuses for a group of zombies.
            pass
        self.process.wait()
        self.group = None

    def stop(self) -> None:
        self.request_stop()
        if self.process is not None:
            try:
                self.process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def wait_until(
        self, answers: Callable[[], bool], seconds: float, pause: Callable[[float], None]
    ) -> None:
        """Raises DevServerError when the process ends or does not answer in time."""
        deadline = time.monotonic() + seconds
        while not answers():
            if not self.is_running():
                raise DevServerError(f"{self.name} did not start:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise DevServerError(
                    f"{self.name} did not answer within {seconds:.0f} s. See {self.log}."
                )
            pause(0.03)

    def last_lines(self) -> str:
        with self.log.open(errors="replace") as file:
            lines = "".join(f"  {line}" for line in deque(file, 8)).rstrip()
        return f"{lines}\nMore is in {self.log}."


class Heartbeats:
    """The files that a process touches, one for each of its loops.

    What counts is that a time changes, by the clock of who looks: a machine that slept, or whose
    clock was set, has not hung.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times: dict[Path, int] = {}
        self.beaten_at: dict[Path, float] = {}

    def forget(self) -> None:
        for path in self._files():
            path.unlink(missing_ok=True)
        self.times, self.beaten_at = {}, {}

    def forgive(self) -> None:
        """Who looks was away itself, and does not know."""
        self.times = {}

    def silent_seconds(self) -> float | None:
        """Of the loop that has been silent for longest; None before the first beat."""
        now = time.monotonic()
        for path in self._files():
            try:
                beaten = path.stat().st_mtime
            except OSError:
                continue
            if self.times.get(path) != beaten:
                self.times[path] = beaten
                # A time in the future was announced.
                self.beaten_at[path] = now + max(0.0, beaten - time.time())
        return max((now - at for at in self.beaten_at.values()), default=None)

    def _files(self) -> list[Path]:
        return [self.path, *self.path.parent.glob(f"{self.path.name}.*")]


def end_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    """For the new process: it gets this signal when its parent ends, however that ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def ask_for_it() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return ask_for_it


def rotate(log: Path) -> None:
    """Copies and empties it: whoever writes, appends, and so goes on at the new end."""
    if not log.exists() or log.stat().st_size <= LOG_LIMIT_BYTES:
        return
    try:
        shutil.copy2(log, log.with_name(f"{log.name}.1"))
    except OSError:
        # On a full disk what is old goes, so that what is new has room.
        pass
    os.truncate(log, 0)


class ErrorLines:
    """The new errors of one log, at most a few a minute."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.position = log.stat().st_size if log.exists() else 0
        self.times: list[float] = []

    def read(self) -> list[str]:
        if not self.log.exists():
            return []
        if self.log.stat().st_size < self.position:
            self.position = 0
        with self.log.open("rb") as file:
            file.seek(self.position)
            # A line that is still being written is read the next time.
            whole, newline, _ = file.read().rpartition(b"\n")
        self.position += len(whole) + len(newline)
        lines = whole.decode(errors="replace").splitlines()
        errors = [line.strip()[:ERROR_WIDTH] for line in lines if ERROR_LINE.search(line)]
        now = time.monotonic()
        self.times = [moment for moment in self.times if now - moment < 60]
        errors = errors[: max(0, ERRORS_PER_MINUTE - len(self.times))]
        self.times += [now] * len(errors)
        return errors
