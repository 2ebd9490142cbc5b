"""Limits of the program's processes, and their end, also of those behind a double fork."""

import os
import resource
import signal
from collections.abc import Mapping

MEGABYTE = 1024 * 1024
MAX_OPEN_FILES = 256
MAX_PROCESSES = 64
MAX_FILE_MEGABYTES = 32


def unprivileged_user() -> int:
    """A user id that nothing else runs as, or nobody where the host maps no such ids."""
    user_id = 0x60000000 + os.getpid()
    with open("/proc/self/uid_map") as ranges:
        starts = [(int(first), int(count)) for first, _, count in map(str.split, ranges)]
    return user_id if any(s <= user_id < s + count for s, count in starts) else 65534


def limit(config: Mapping[str, object], *, user_threads: int) -> None:
    """Of memory, processor time and files, for this process and each of its children alone."""
    seconds = int(float(config["timeout_seconds"])) + 2
    _set_limit(resource.RLIMIT_CPU, seconds)
    _set_limit(resource.RLIMIT_AS, int(config["memory_megabytes"]) * MEGABYTE)
    _set_limit(resource.RLIMIT_FSIZE, MAX_FILE_MEGABYTES * MEGABYTE)
    _set_limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_NPROC, MAX_PROCESSES + user_threads)


def _set_limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (bound, bound))


def threads_of_user() -> int:
    """How many there are: the kernel counts them all, also those that are not ours."""
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            if os.stat(f"/proc/{name}").st_uid == os.getuid():
                total += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return total


def end(pid: int) -> None:
    """Kill one child and collect it. With the first process of a namespace all in it die."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def end_all_others() -> None:
    """By the first process of a namespace: all others in it."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _collect()


def end_descendants() -> None:
    """Freeze until nobody new appears (the frozen cannot fork), then kill and collect."""
    frozen: set[int] = set()
    while fresh := descendants(os.getpid()) - frozen:
        _signal(fresh, signal.SIGSTOP)
        frozen |= fresh
    _signal(frozen, signal.SIGKILL)
    _collect()


def _collect() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def descendants(root: int) -> set[int]:
    """All that came from a process and live."""
    children: dict[int, list[int]] = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/stat", "rb") as stream:
                parent = int(stream.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            # It has ended meanwhile.
            continue
        children.setdefault(parent, []).append(pid)
    found, waiting = set(), [root]
    while waiting:
        young = children.get(waiting.pop(), [])
        found.update(young)
        waiting.extend(young)
    return found
