"""One run on one machine, the same durable PostgreSQL for all: gated steps of ours, of LangGraph
with its PostgresSaver, of DBOS, and of a floor.

Every run is a chain of steps. A step makes an artifact of 2 kB by a model that answers at once, and
a person approves it before the next one starts. Decisions are made in process by some threads, the
drivers. Each takes a run to its end, then the next one, so that as many runs are under way as there
are drivers; the others wait for their first decision.

- *steps a second*: from the moment when the first step of every run waits for its decision, until
  the last run is completed. Counted are decisions, each with the step that follows it, if any.
- *call to next start*: from just before the call that decides (`decide`, `invoke` with
  `Command(resume=)`, `DBOS.send`) until the next step of the same run starts: for ours and the
  floor its row in the log, by the database's clock, which is this machine's; for the others the
  first line of the next step's function, by `time.time()`.
- *decision to next start*: ours and the floor only, both times from the database: from the
  decision's row in the log to the start's row.

The systems take turns in each round, and each is warm: programs are started, connections open and
statements prepared before the clock runs. The workers of ours and the floor, two processes, are
idle while the others are measured.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain

from tools.benchmarks.stack import owner_url, worker

WARM_RUNS, WARM_STEPS = 8, 3
PARTS = (("p50", 49), ("p95", 94))

#: Column, and row: name, median or None.
Table = list[tuple[str, dict[str, float | None]]]


def compare(options: argparse.Namespace) -> None:
    from tools.benchmarks.peers.systems import Floor, Measurement, Ours, Peer, System

    url = owner_url()
    make: dict[str, Callable[[], System]] = {
        "floor": partial(Floor, url),
        "langgraph": partial(Peer, url, name="langgraph", python=options.peers_python),
        "dbos": partial(Peer, url, name="dbos", python=options.peers_python),
        "ours": partial(Ours, url),
    }
    measured: dict[str, list[dict[int, Measurement]]] = {name: [] for name in options.systems}
    with worker():
        systems = {name: make[name]() for name in options.systems}
        for name in {"floor", "ours"} & systems.keys():
            systems[name].measure(WARM_RUNS, WARM_STEPS, [max(options.drivers)])
        for number in range(options.rounds):
            for name, system in systems.items():
                print(f"round {number + 1}: {name}", file=sys.stderr)
                measured[name].append(system.measure(options.runs, options.steps, options.drivers))
        for system in systems.values():
            system.close()
    print(f"{options.runs} runs of {options.steps} steps, medians of {options.rounds} rounds\n")
    print(markdown(table(measured, options.drivers), options.systems))


def table(measured: Mapping[str, Sequence[Mapping]], drivers: Sequence[int]) -> Table:
    """Medians over the rounds, row by row."""

    def row(value: Callable) -> dict[str, float | None]:
        return {name: median(value, rounds) for name, rounds in measured.items()}

    rows: Table = []
    for count in drivers:
        speed = row(lambda results, count=count: results[count].steps_a_second)
        rows.append((f"steps/s, {named(count)}", speed))
    for title, kind in (("call", "waits"), ("decision", "waits_in_database")):
        for count in drivers:
            for name, place in PARTS:
                wait = row(partial(milliseconds, count=count, kind=kind, place=place))
                rows.append((f"{title} to next start, {named(count)}, {name}, ms", wait))
    return rows


def milliseconds(results: Mapping, count: int, kind: str, place: int) -> float | None:
    waits = getattr(results[count], kind)
    return statistics.quantiles(waits, n=100, method="inclusive")[place] * 1000 if waits else None


def median(value: Callable, rounds: Sequence[Mapping]) -> float | None:
    values = [value(results) for results in rounds]
    return None if None in values else statistics.median(values)


def named(drivers: int) -> str:
    return "1 driver" if drivers == 1 else f"{drivers} drivers"


def markdown(rows: Table, systems: Sequence[str]) -> str:
    """Ratios are ours divided by the other: above 1 is more steps, or more time."""
    others = [name for name in systems if name != "ours"] if "ours" in systems else []
    heads = ["", *systems, *(f"ours/{name}" for name in others)]
    lines = [heads, ["---"] * len(heads)]
    for title, values in rows:
        ratios = (ratio(values["ours"], values[name]) for name in others)
        numbers = chain((figure(values[name], 1) for name in systems), ratios)
        lines.append([title, *numbers])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratio(ours: float | None, other: float | None) -> str:
    return figure(None if ours is None or not other else ours / other, 2)


def figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
