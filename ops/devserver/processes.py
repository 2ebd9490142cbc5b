"""Starting and stopping one child process, in a process group of its own."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from ops.devserver import LocalError
from ops.devserver.accounts import Account

LAUNCHER = str(Path(__file__).with_name("exec_wrapper.py"))


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Main thread only: a child gets its death signal when the *thread* that made it ends."""
    who = f"{account.uid}:{account.gid}" if account else ""
    launch = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), str(int(death_signal)), who]
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(
            [*launch, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            process_group=0,
            umask=0o077,
            pass_fds=pass_fds,
        )


def stop(process: subprocess.Popen[bytes], *, how: signal.Signals, grace: float) -> None:
    """Asks, waits `grace` seconds, then kills the whole group."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
    kill_group(process.pid)
    process.wait()


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError:
        # macOS says so of a group of zombies.
        pass


def await_answer(
    answers: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes],
    log: Path,
    name: str,
    seconds: float,
) -> None:
    """Returns when `answers()` is true. Raises LocalError when the process ends or is too slow."""
    deadline = time.monotonic() + seconds
    while not answers():
        if process.poll() is not None:
            raise LocalError(f"{name} did not start:\n{tail(log)}\nMore is in {log}.")
        if time.monotonic() > deadline:
            raise LocalError(f"{name} did not answer within {seconds:.0f} s. See {log}.")
        time.sleep(0.03)


def tail(log: Path, lines: int = 8) -> str:
    with log.open(errors="replace") as file:
        return "".join(f"  {line}" for line in deque(file, lines)).rstrip()


def end_leftovers(name: str, folder: Path, *, how: signal.Signals) -> None:
    """Ends what a killed run left behind in `folder`, so that two servers never share one."""
    found = [process for process in psutil.process_iter() if _works_in(process, name, folder)]
    for process in found:
        _signal(process, how)
    for process in psutil.wait_procs(found, timeout=20)[1]:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(found, timeout=5)


def _works_in(process: psutil.Process, name: str, folder: Path) -> bool:
    try:
        return process.name().startswith(name) and process.cwd() == str(folder.resolve())
    except psutil.Error:
        return False


def _signal(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)
    except psutil.Error:
        pass
