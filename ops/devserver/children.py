"""One process of the development server: in a process group of its own, its output in a log."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ops.devserver import DevServerError
from ops.devserver.binaries import Account
from ops.devserver.data_dir import DataDir
from ops.devserver.runtime import PROJECT_DIR

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
    ) -> None:
        self.data_dir, self.name, self.arguments = data_dir, name, list(arguments)
        self.environment, self.cwd, self.account = environment, cwd, account
        self.stop_signal, self.stop_seconds, self.pass_fds = stop_signal, stop_seconds, pass_fds
        self.log = data_dir.log(name)
        self.errors = ErrorLines(self.log)
        self.process: subprocess.Popen[bytes] | None = None
        self.group: int | None = None
        self.started_at = 0.0
        self.failures = 0
        self.restart_at: float | None = None

    def start(self) -> None:
        rotate(self.log)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            try:
                self.process = subprocess.Popen(
                    self.arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.cwd,
                    env=dict(self.environment),
                    process_group=0,
                    umask=0o077,
                    pass_fds=self.pass_fds,
                    **(self.account.popen_options() if self.account else {}),
                )
            except OSError as error:
                raise DevServerError(f"{self.name} cannot be started: {error}.") from error
        self.group = self.process.pid
        self.data_dir.pid_file.add(self.name, self.group, self.stop_signal)
        self.started_at, self.restart_at = time.monotonic(), None

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


def rotate(log: Path) -> None:
    """Copies and empties it: whoever writes, appends, and so goes on at the new end."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        shutil.copy2(log, log.with_name(f"{log.name}.1"))
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
