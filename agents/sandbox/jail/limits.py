"""Bounds on one process: memory, processor time, files. They bind only the program."""

import os
import resource
from collections.abc import Mapping

MEGABYTE = 1024 * 1024
MAX_OPEN_FILES = 256
MAX_PROCESSES = 64
MAX_FILE_MEGABYTES = 32


def apply(config: Mapping[str, object], *, user_threads: int) -> None:
    """Bind this process and its children. Children have the same bound each, not together."""
    seconds = int(float(config["timeout_seconds"])) + 2
    _set(resource.RLIMIT_CPU, seconds)
    _set(resource.RLIMIT_AS, int(config["memory_megabytes"]) * MEGABYTE)
    _set(resource.RLIMIT_FSIZE, MAX_FILE_MEGABYTES * MEGABYTE)
    _set(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NPROC, MAX_PROCESSES + user_threads)


def _set(kind: int, limit: int) -> None:
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
