"""`make bench-stream`: events from commit to client, beside bare `group_send` in the same run."""

import argparse
import asyncio
import statistics
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token

from audit.actors import Actor
from audit.models import Stream
from benchmarks.sockets import Arrivals, Client, clients, resident_bytes, settled
from benchmarks.stack import daphne
from projects.services import create_project

BATCH = 50
PATIENCE_SECONDS = 30
IDLE = 1000


@dataclass(frozen=True)
class Load:
    """`paced` events at `per_second`, then `flood` events as fast as they go."""

    clients: int
    per_second: float
    paced: int
    flood: int


# A thousand clients at 50/s would be 50,000 frames a second, more than one Python process sends.
LOADS = (Load(1, 50, 250, 3000), Load(100, 50, 250, 300), Load(1000, 5, 30, 30))
# The first events of a process open its connections; their latency is that of its start.
STARTING = 5


@dataclass
class Result:
    frames: int
    seconds: float
    latencies: list[float]
    lost: int
    doubled: int

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds

    def milliseconds(self, part: int) -> float:
        cuts = statistics.quantiles(self.latencies, n=100, method="inclusive")
        return cuts[part - 1] * 1000


class Ours:
    """Listeners of one project, and a process that records its events."""

    name, application = "stream", "orchestrator.asgi:application"

    def __init__(self) -> None:
        user, _ = User.objects.get_or_create(username="listener")
        self.token = Token.objects.get_or_create(user=user)[0].key
        fields = {"name": "Bench", "brief": "Events.", "auto_start": False}
        self.project = create_project(actor=Actor.of_user(user), **fields).pk

    @property
    def path(self) -> str:
        return f"/ws/projects/{self.project}/?after={self.head()}"

    def head(self) -> int:
        return Stream.objects.get(project=self.project).sequence

    def send(self, count: int, per_second: float) -> subprocess.Popen:
        arguments = [
            str(self.project),
            str(count),
            str(per_second),
            str(1 if per_second else BATCH),
        ]
        return _start("benchmarks.writer", *arguments)


class Bare:
    """Consumers in one group, and a process that sends to it."""

    name, application, path, token = "bare", "benchmarks.bare:application", "/", str(uuid.uuid4())

    def head(self) -> int:
        return 0

    def send(self, count: int, per_second: float) -> subprocess.Popen:
        return _start("benchmarks.bare", str(count), str(per_second))


def _start(module: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True)


async def run(side: Any, listening: list[Client], count: int, per_second: float) -> Result:
    """All events to all clients, or what of them arrives."""
    arrivals, head = Arrivals(), await asyncio.to_thread(side.head)
    for client in listening:
        client.begin(head, arrivals)
    sender = side.send(count, per_second)
    reporting = asyncio.create_task(_report(sender, listening))
    try:
        await settled(_is_over(sender, listening, head + count), PATIENCE_SECONDS)
    finally:
        reporting.cancel()
        sender.kill()
        sender.wait()
    frames = sum(client.received for client in listening)
    return Result(
        frames=frames,
        seconds=arrivals.last_at - min(arrivals.sent_at.values()),
        latencies=arrivals.latencies[STARTING * len(listening) :],
        lost=count * len(listening) - frames,
        doubled=sum(client.doubled for client in listening),
    )


def _is_over(sender: subprocess.Popen, listening: list[Client], last: int) -> Callable[[], bool]:
    return lambda: sender.poll() is not None and all(one.last >= last for one in listening)


async def _report(sender: subprocess.Popen, listening: list[Client]) -> None:
    """Tell the sender what has arrived everywhere."""
    with suppress(BrokenPipeError):
        while True:
            sender.stdin.write(f"{min(client.last for client in listening)}\n")
            sender.stdin.flush()
            await asyncio.sleep(0.005)


async def measure(side: Any, load: Load) -> tuple[Result, Result]:
    """Latency at the load's pace, and throughput."""
    with daphne(side.application) as server:
        path = await asyncio.to_thread(lambda: side.path)
        async with clients(load.clients, port=server.port, path=path, token=side.token) as all_:
            paced = await run(side, all_, load.paced, load.per_second)
            return paced, await run(side, all_, load.flood, 0)


async def idle_bytes(side: Any) -> tuple[int, int]:
    """Of a server: its size with one client, and what each of many idle ones adds."""
    with daphne(side.application) as server:
        path = await asyncio.to_thread(lambda: side.path)
        options = {"port": server.port, "path": path, "token": side.token}
        async with clients(1, **options):
            before = resident_bytes(server.pid)
            async with clients(IDLE, **options):
                after = resident_bytes(server.pid)
    return before, (after - before) // IDLE


def show(load: Load, name: str, paced: Result, flood: Result) -> None:
    print(
        f"{load.clients:6d}  {name:7s} {flood.frames_a_second:8.0f}"
        f" {load.per_second:8.0f} {paced.milliseconds(50):9.1f} {paced.milliseconds(99):8.1f}"
        f" {paced.lost + flood.lost:6d} {paced.doubled + flood.doubled:8d}",
        flush=True,
    )


def report(options: argparse.Namespace) -> None:
    print(f"channel layer: {settings.CHANNEL_LAYERS['default']['BACKEND']}")
    print("clients  server  frames/s  at ev./s    p50 ms   p99 ms   lost  doubled")
    ours, bare = Ours(), Bare()
    for load in LOADS:
        floor = asyncio.run(measure(bare, load))
        show(load, bare.name, *floor)
        measured = asyncio.run(measure(ours, load))
        show(load, ours.name, *measured)
        _, again = asyncio.run(measure(bare, replace(load, paced=STARTING + 5)))
        between = (floor[1].frames_a_second + again.frames_a_second) / 2
        print(
            f"{load.clients:6d}  to the floor: throughput"
            f" {measured[1].frames_a_second / between:.2f},"
            f" p99 {measured[0].milliseconds(99) / floor[0].milliseconds(99):.1f}",
            flush=True,
        )
    for side in (bare, ours):
        size, each = asyncio.run(idle_bytes(side))
        whole = (size + 10_000 * each) / 2**20
        print(
            f"idle    {side.name:7s} {size / 2**20:.0f} MiB, and {each / 2**10:.1f} KiB for each"
            f" of {IDLE} idle connections; 10,000 would need {whole:.0f} MiB"
        )
