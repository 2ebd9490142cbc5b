"""Ending everything that a program started, also what it has hidden behind a double fork."""

import os
import signal


def unprivileged_user() -> int:
    """A user id that nothing else runs as, or nobody where the host maps no such ids."""
    user_id = 0x60000000 + os.getpid()
    with open("/proc/self/uid_map") as ranges:
        starts = [(int(first), int(count)) for first, _, count in map(str.split, ranges)]
    return user_id if any(s <= user_id < s + count for s, count in starts) else 65534


def end(pid: int) -> None:
    """Kill one child and collect it. With the first process of a namespace all in it die."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def end_descendants() -> None:
    """Freeze until nobody new appears (the frozen cannot fork), then kill and collect."""
    frozen: set[int] = set()
    while fresh := _descendants(os.getpid()) - frozen:
        _signal(fresh, signal.SIGSTOP)
        frozen |= fresh
    _signal(frozen, signal.SIGKILL)
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


def _descendants(root: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        children.setdefault(_parent(pid), []).append(pid)
    descendants, waiting = set(), [root]
    while waiting:
        young = children.get(waiting.pop(), [])
        descendants.update(young)
        waiting.extend(young)
    return descendants


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            return int(stream.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return -1
