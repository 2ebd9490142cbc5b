"""Counts what a process sends to PostgreSQL, where psycopg sends it.

So BEGIN and COMMIT are seen, which Django's own wrappers never are. Each process writes its counts
to a file of its own, twice a second.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

WRITE_SECONDS = 0.5
IGNORED_THREAD = "watcher"
#: Text of a statement to how often it was sent and the seconds it took.
Counts = dict[str, list[float]]

_counts: Counts = {}
_pid = 0
_lock = threading.Lock()


def install(folder: str) -> None:
    """Count in this process, and in those that it forks."""
    begin = psycopg.Connection._exec_command

    def command(self: Any, command: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        start = time.perf_counter()
        result = yield from begin(self, command, *arguments, **options)
        text = command if isinstance(command, bytes) else str(command).encode()
        _count(folder, text.decode(), time.perf_counter() - start)
        return result

    psycopg.Connection._exec_command = command
    for name in ("execute", "executemany"):
        setattr(psycopg.Cursor, name, _counted(getattr(psycopg.Cursor, name), folder))


def _counted(send: Callable[..., Any], folder: str) -> Callable[..., Any]:
    def counted(self: Any, query: Any, *arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return send(self, query, *arguments, **options)
        finally:
            text = query.decode() if isinstance(query, bytes) else str(query)
            _count(folder, text, time.perf_counter() - start)

    return counted


def _count(folder: str, text: str, seconds: float) -> None:
    global _pid
    if threading.current_thread().name == IGNORED_THREAD:
        return
    with _lock:
        if os.getpid() != _pid:
            _pid = os.getpid()
            _counts.clear()
            threading.Thread(target=_write_forever, args=(Path(folder),), daemon=True).start()
        entry = _counts.setdefault(text, [0, 0.0])
        entry[0] += 1
        entry[1] += seconds


def _write_forever(folder: Path) -> None:
    pid = os.getpid()
    while True:
        time.sleep(WRITE_SECONDS)
        with _lock:
            content = json.dumps(_counts)
        fresh = folder / f"{pid}.new"
        try:
            fresh.write_text(content)
            fresh.rename(folder / f"{pid}.json")
        except FileNotFoundError:
            # Nobody reads it any more.
            return


def read(folder: str) -> dict[int, Counts]:
    """Of each process, all that it has counted by now."""
    time.sleep(3 * WRITE_SECONDS)
    return {int(path.stem): json.loads(path.read_text()) for path in Path(folder).glob("*.json")}


def added(before: Counts, after: Counts) -> Counts:
    """What came between two readings, with statements that differ in numbers of rows as one."""
    total: Counts = {}
    for text, (count, seconds) in after.items():
        old_count, old_seconds = before.get(text, (0, 0.0))
        if count > old_count:
            entry = total.setdefault(normal(text), [0, 0.0])
            entry[0] += count - old_count
            entry[1] += seconds - old_seconds
    return total


def normal(text: str) -> str:
    text = " ".join(text.split())
    text = re.sub(r'(SAVEPOINT) "[^"]+"', r"\1", text)
    text = re.sub(r"(\((?:%s|[^()])*%s[^()]*\))(, ?\1)+", r"\1, …", text)
    return re.sub(r"\(%s(, %s)+\)", "(%s, …)", text)
