"""`make bench-profile`: what a gated step of ours costs, in statements, commits and processor time.

A gated step is a decision and the step that follows it: claimed, worked on by a model that answers
at once, finished. The driver decides, the workers do the rest. A round trip is a statement, a
BEGIN, a COMMIT or a ROLLBACK; preparing a statement, once a connection, is left out. The counting
itself takes a little of the processor time, and PostgreSQL's has the watcher's queries in it.
"""

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable

import psutil

from tools.benchmarks import statement_counter
from tools.benchmarks.stack import worker
from tools.benchmarks.statement_counter import Counts

WARM_RUNS, WARM_STEPS = 8, 3
WIDTH = 110
ENDS = ("COMMIT", "ROLLBACK")
TURNS = ("BEGIN", *ENDS)
PARTS = ("driver", "workers", "PostgreSQL", "Redis")


def report(options: argparse.Namespace) -> None:
    from tools.benchmarks.peers.systems import Ours

    drivers = options.drivers[0]
    with tempfile.TemporaryDirectory() as folder, worker(BENCH_COUNTS=folder):
        statement_counter.install(folder)
        ours = Ours(os.environ["DATABASE_URL"])
        ours.measure(WARM_RUNS, WARM_STEPS, [drivers])
        # One step more than is decided, so that a step follows every decision.
        runs = ours.start(options.runs, options.steps + 1)
        ours.drivers.wait_for_all(runs)
        before, busy = statement_counter.read(folder), processor_seconds()
        driven = ours.drivers.run(drivers, runs, options.steps)
        # The last steps are still being worked on.
        time.sleep(1)
        spent = {part: now - busy[part] for part, now in processor_seconds().items()}
        spent["driver"] -= driven.watcher_seconds
        after = statement_counter.read(folder)
        ours.close()
    counts = by_part(before, after)
    steps = options.runs * options.steps
    print(f"{steps} gated steps, {options.runs} at a time, {drivers} drivers; each step:\n")
    print("\n".join(summary(counts, spent, driven.seconds, steps)))
    print()
    print("\n".join(statements(counts, steps)))


def by_part(before: dict[int, Counts], after: dict[int, Counts]) -> dict[str, Counts]:
    counts: dict[str, Counts] = {"driver": {}, "workers": {}}
    for pid, now in after.items():
        part = counts["driver" if pid == os.getpid() else "workers"]
        for text, (count, seconds) in statement_counter.added(before.get(pid, {}), now).items():
            entry = part.setdefault(text, [0, 0.0])
            entry[0] += count
            entry[1] += seconds
    return counts


def processor_seconds() -> dict[str, float]:
    """User and system time of all processes by now; the postmaster has that of ended backends."""
    seconds = dict.fromkeys(PARTS, 0.0)
    me = psutil.Process()
    times = me.cpu_times()
    seconds["driver"] = times.user + times.system
    for process in me.children(recursive=True):
        name, times = process.name(), process.cpu_times()
        is_postgres, is_redis = "postgres" in name, "valkey" in name or "redis" in name
        part = "PostgreSQL" if is_postgres else "Redis" if is_redis else "workers"
        seconds[part] += times.user + times.system
        if is_postgres:
            seconds[part] += times.children_user + times.children_system
    return seconds


def summary(
    counts: dict[str, Counts], spent: dict[str, float], seconds: float, steps: int
) -> list[str]:
    rows = []
    for title, count in (
        ("statements", lambda text: not text.startswith(TURNS)),
        ("transactions (COMMIT)", lambda text: text.startswith("COMMIT")),
        ("round trips", lambda text: True),
    ):
        each = [total(part, count) / steps for part in counts.values()]
        rows.append([title, *(f"{number:.1f}" for number in each), "", "", f"{sum(each):.1f}"])
    times = [spent[part] * 1000 / steps for part in PARTS]
    rows.append(["processor ms", *(f"{number:.2f}" for number in times), f"{sum(times):.2f}"])
    rows.append(["elapsed ms", "", "", "", "", f"{seconds * 1000 / steps:.2f}"])
    return markdown([["", *PARTS, "sum"], *rows])


def total(counts: Counts, is_counted: Callable[[str], bool]) -> float:
    return sum(count for text, (count, _) in counts.items() if is_counted(text))


def statements(counts: dict[str, Counts], steps: int) -> list[str]:
    """The most frequent first, among equals the slowest."""
    rows = [
        (count, seconds, part, text)
        for part, entries in counts.items()
        for text, (count, seconds) in entries.items()
    ]
    rows.sort(reverse=True)
    lines = [
        [
            f"{count / steps:.2f}",
            f"{seconds * 1000:.0f}",
            f"{seconds * 1000 / count:.2f}",
            part,
            short(text),
        ]
        for count, seconds, part, text in rows
    ]
    return markdown([["a step", "total ms", "ms each", "of", "statement"], *lines])


def short(text: str) -> str:
    """Without long lists of columns, so that what follows them can be seen."""
    text = re.sub(r"(SELECT|INSERT INTO \S+|SET) .{40,}? (FROM|VALUES|WHERE)\b", r"\1 … \2", text)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"


def markdown(rows: Iterable[list[str]]) -> list[str]:
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return [f"| {' | '.join(line)} |" for line in lines]
