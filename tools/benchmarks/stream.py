"""`make bench-stream`: events from commit to client, beside bare `group_send` in the same run.

First with our channel layer, then with the other one of channels_redis. Bounded: what does not
fit into the time is left out, and said.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time

from django.conf import settings

from tools.benchmarks.streaming import LOADS, Bare, Load, Measured, Ours, measure

OTHER_LAYER = "channels_redis.core.RedisChannelLayer"
# A load that has begun is finished.
MINUTES = float(os.environ.get("BENCH_MINUTES", "6"))
# Of the floor: a message each, and a message after a bare durable commit each.
HEADER = (
    "| clients | server | one a transaction, frames/s (sent/s) | many (floor: a commit each)"
    " | p50 ms | p99 ms | lost | doubled |\n|---|---|---|---|---|---|---|---|"
)


def report(options: argparse.Namespace) -> None:
    ends_at = float(os.environ.setdefault("BENCH_ENDS_AT", str(time.time() + MINUTES * 60)))
    print(f"\nchannel layer: {settings.CHANNEL_LAYERS['default']['BACKEND']}\n{HEADER}")
    ours, bare = Ours(), Bare()
    largest: dict[str, Measured] = {}
    for load in LOADS:
        if options.clients and load.clients > options.clients:
            break
        if time.time() > ends_at:
            print(f"left out, for the time is over: {load.clients} clients and more")
            break
        for server in options.servers:
            largest |= _compare(load, ours, bare, server)
    if options.layer:
        return
    for name, measured in largest.items():
        show_sizes(name, measured)
    if largest and len(options.servers) == 1:
        limit = ["--clients", str(options.clients)] if options.clients else []
        again = ["stream", "--layer", OTHER_LAYER, "--servers", *options.servers, *limit]
        subprocess.run([sys.executable, "-m", "tools.benchmarks", *again], check=False)


def _compare(load: Load, ours: Ours, bare: Bare, server: str) -> dict[str, Measured]:
    """Empty where one of them could not be measured, which is said."""
    try:
        floor = asyncio.run(measure(bare, load, server))
        show(load, f"{bare.name}, {server}", floor)
        measured = asyncio.run(measure(ours, load, server))
    except (TimeoutError, RuntimeError) as error:
        reason = str(error) or type(error).__name__
        print(f"{server}, {load.clients} clients: not finished ({reason})", flush=True)
        return {}
    show(load, f"{ours.name}, {server}", measured)
    single = measured.single.frames_a_second
    print(
        f"{server}, {load.clients} clients, one event a transaction, to the floor's frames/s:"
        f" {single / floor.single.frames_a_second:.2f}; where the floor commits, too:"
        f" {single / floor.flood.frames_a_second:.2f}; p99: {_p99(measured) / _p99(floor):.2f}",
        flush=True,
    )
    return {f"{bare.name}, {server}": floor, f"{ours.name}, {server}": measured}


def _p99(measured: Measured) -> float:
    return statistics.median(result.milliseconds(99) for result in measured.paced)


def show(load: Load, name: str, measured: Measured) -> None:
    """A row for docs/benchmarks.md."""
    single, flood = measured.single, measured.flood
    every = [*measured.paced, single, flood]
    p99s = " / ".join(f"{result.milliseconds(99):.1f}" for result in measured.paced)
    p50 = statistics.median(result.milliseconds(50) for result in measured.paced)
    print(
        f"| {load.clients:,} | {name} | {single.frames_a_second:,.0f} ({single.sent_a_second:,.0f})"
        f" | {flood.frames_a_second:,.0f} ({flood.sent_a_second:,.0f})"
        f" | {p50:.1f} at {load.per_second:.0f}/s | {p99s}"
        f" | {sum(one.lost for one in every)} | {sum(one.doubled for one in every)} |",
        flush=True,
    )


def show_sizes(name: str, measured: Measured) -> None:
    """Idle connections, before any event was sent."""
    whole = (measured.size + 10_000 * measured.each) / 2**20
    print(
        f"memory of {name}: {measured.size / 2**20:.0f} MiB, and {measured.each / 2**10:.1f} KiB"
        f" for each idle connection; 10,000 would need {whole:.0f} MiB",
        flush=True,
    )
