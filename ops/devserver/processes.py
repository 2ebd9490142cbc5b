"""Which processes run on a data folder, so that the next start can end what a killed run left."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from ops.devserver.runtime import write_private

# Longer than a worker takes to hand back its tasks.
STOP_SECONDS = 20


class PidFile:
    """Process groups by name, each with the start time of its leader: a number may be reused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.entries = json.loads(path.read_text())
        except (OSError, ValueError):
            self.entries = {}

    def add(self, name: str, pid: int, stop_signal: signal.Signals) -> None:
        """A program that is started again keeps its place; the start time tells which one runs."""
        entry = {"pid": pid, "started": start_time(pid), "stop_signal": int(stop_signal)}
        self.entries[name] = entry
        try:
            write_private(self.path, json.dumps(self.entries, indent=2))
        except OSError:
            # On a full disk. The next start finds it by the lock that it holds.
            pass

    def end_leftovers(self, data_dir: Path, report: Callable[[str], None]) -> None:
        """Only while the data folder is locked, so that none of these belongs to a running `up`."""
        # The last one started uses the others: the workers hand back their tasks to the database.
        for name, entry in reversed(list(self.entries.items())):
            if group := group_members(entry["pid"], entry["started"], data_dir):
                report(
                    f"{name} (process {entry['pid']}) is left over from an earlier run; ending it."
                )
                end(group, signal.Signals(entry["stop_signal"]))
        self.entries = {}
        self.path.unlink(missing_ok=True)


def start_time(pid: int) -> str | None:
    """Tells a process from a later one with the same number; None where there is none."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        # Not on Linux, where the creation time is computed from a clock that may be changed.
        return str(psutil.Process(pid).create_time()) if psutil.pid_exists(pid) else None
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
    return f"{boot_id} {ticks}"


def group_members(leader: int, started: str, data_dir: Path) -> list[psutil.Process]:
    """The living processes of a group, its leader first; none where the number was reused."""
    current_start = start_time(leader)
    if current_start not in (started, None):
        return []
    members = []
    for process in psutil.process_iter():
        try:
            is_member = os.getpgid(process.pid) == leader
            # Without its leader, only the environment tells the group from a later one.
            if is_member and current_start is None:
                is_member = process.environ().get("DATA_DIR") == str(data_dir)
        except (OSError, psutil.Error):
            continue
        if is_member and is_alive(process):
            members.append(process)
    return sorted(members, key=lambda process: process.pid != leader)


def end_holders(lock: IO[str], report: Callable[[str], None]) -> None:
    """Ends whatever holds this lock, though nobody wrote down that it runs; then holds it itself.

    Whoever is started on a data folder inherits the lock, with all that it forks.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holders = [process for process in psutil.process_iter() if has_open(process, lock)]
        for process in holders:
            report(f"Process {process.pid} is left over from an earlier run; ending it.")
        _signal(holders, signal.SIGTERM)
        _wait(holders, STOP_SECONDS)
        _signal(holders, signal.SIGKILL)
        _wait(holders, 5)
    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)


def has_open(process: psutil.Process, file: IO[str]) -> bool:
    if process.pid == os.getpid():
        return False
    status = os.fstat(file.fileno())
    folder = Path(f"/proc/{process.pid}/fd")
    try:
        if not folder.exists():
            return any(opened.path == file.name for opened in process.open_files())
        return any(is_file(descriptor, status) for descriptor in folder.iterdir())
    except (OSError, psutil.Error):
        return False


def is_file(descriptor: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), status)
    except OSError:
        return False


def end_programs_in(folder: Path, name: str, stop_signal: signal.Signals) -> None:
    """So that two servers never share a folder, even if the first is in no pid file."""

    def works_there(process: psutil.Process) -> bool:
        try:
            return process.name().startswith(name) and process.cwd() == str(folder.resolve())
        except psutil.Error:
            return False

    processes = [process for process in psutil.process_iter() if works_there(process)]
    end(sorted(processes, key=lambda process: process.pid), stop_signal)


def end(processes: Sequence[psutil.Process], stop_signal: signal.Signals) -> None:
    """Asks the first process, which stops the others, and waits for it; kills the rest."""
    _signal(processes[:1], stop_signal)
    _wait(processes[:1], STOP_SECONDS)
    _signal(processes, signal.SIGKILL)
    _wait(processes, 5)


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            pass


def _wait(processes: Sequence[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead, though some containers never bury it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
