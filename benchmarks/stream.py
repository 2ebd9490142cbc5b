"""`make bench-stream`: events from commit to client, beside bare `group_send` in the same run."""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import uuid
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token

from audit.actors import Actor
from audit.models import Stream
from benchmarks.sockets import Arrivals, Client, clients, resident_bytes, settled
from benchmarks.stack import daphne
from projects.services import create_project

BATCH = 50
PATIENCE_SECONDS = 20


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
class Sender:
    process: subprocess.Popen
    said: IO[str]

    def times(self) -> list[tuple[int, float]]:
        """Sequences and when they were sent, in order."""
        self.said.seek(0)
        lines = [line.split() for line in self.said]
        return [(int(sequence), float(at)) for sequence, at in lines]


@dataclass
class Result:
    frames: int
    seconds: float
    sent_a_second: float
    latencies: list[float]
    lost: int
    doubled: int

    @property
    def frames_a_second(self) -> float:
        return self.frames / self.seconds

    def milliseconds(self, part: int) -> float:
        cuts = statistics.quantiles(self.latencies, n=100, method="inclusive")
        return cuts[part - 1] * 1000


@dataclass
class Measured:
    """`size`: bytes of the server with one client; `each`: what another idle one adds."""

    paced: Result
    flood: Result
    size: int
    each: float


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

    def send(self, count: int, per_second: float) -> Sender:
        batch = 1 if per_second else min(BATCH, count // 10)
        arguments = [
            str(self.project),
            str(count),
            str(per_second),
            str(batch),
        ]
        return _start("benchmarks.writer", *arguments)


class Bare:
    """Consumers in one group, and a process that sends to it."""

    name, application, path, token = "bare", "benchmarks.bare:application", "/", str(uuid.uuid4())

    def head(self) -> int:
        return 0

    def send(self, count: int, per_second: float) -> Sender:
        return _start("benchmarks.bare", str(count), str(per_second))


def _start(module: str, *arguments: str) -> Sender:
    command = [sys.executable, "-m", module, *arguments]
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the process has ended
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, text=True)
    return Sender(process, said)


async def run(side: Any, listening: list[Client], count: int, per_second: float) -> Result:
    """All events to all clients, or what of them arrives."""
    arrivals, head = Arrivals(), await asyncio.to_thread(side.head)
    for client in listening:
        client.begin(head, arrivals)
    sender = side.send(count, per_second)
    reporting = asyncio.create_task(_report(sender.process, listening))
    try:
        await settled(_is_over(sender.process, listening, head + count), PATIENCE_SECONDS)
    finally:
        reporting.cancel()
        sender.process.kill()
        sender.process.wait()
    return _result(arrivals, sender.times(), listening, count)


def _result(
    arrivals: Arrivals, times: list[tuple[int, float]], listening: list[Client], count: int
) -> Result:
    if len(times) < 2 or not arrivals:
        raise RuntimeError("nothing was sent, or nothing arrived")
    sequences = [sequence for sequence, _ in times]
    # Those of one transaction were all committed with its last one.
    waits = [at - times[bisect_left(sequences, sequence)][1] for sequence, at in arrivals]
    frames, spent = len(arrivals), times[-1][1] - times[0][1]
    return Result(
        frames=frames,
        seconds=max(at for _, at in arrivals) - times[0][1],
        sent_a_second=(sequences[-1] - sequences[0]) / spent,
        latencies=waits[STARTING * len(listening) :],
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


async def measure(side: Any, load: Load) -> Measured:
    """Size, latency at the load's pace, and throughput."""
    with daphne(side.application) as server:
        path, head = await asyncio.to_thread(lambda: (side.path, side.head()))
        options = {"port": server.port, "path": path, "token": side.token, "after": head}
        async with clients(1, **options):
            size = resident_bytes(server.pid)
            async with clients(load.clients, **options) as listening:
                each = (resident_bytes(server.pid) - size) / load.clients
                paced = await run(side, listening, load.paced, load.per_second)
                flood = await run(side, listening, load.flood, 0)
                return Measured(paced, flood, size, each)


def show(load: Load, name: str, measured: Measured) -> None:
    paced, flood = measured.paced, measured.flood
    p50, p99 = paced.milliseconds(50), paced.milliseconds(99)
    print(
        f"{load.clients:7d}  {name:6s} {flood.frames_a_second:9.0f} {flood.sent_a_second:7.0f}"
        f" {load.per_second:9.0f} {p50:9.1f} {p99:8.1f}"
        f" {paced.lost + flood.lost:6d} {paced.doubled + flood.doubled:8d}",
        flush=True,
    )


def show_sizes(name: str, measured: Measured) -> None:
    """Idle connections, before any event was sent."""
    whole = (measured.size + 10_000 * measured.each) / 2**20
    print(
        f"memory   {name:6s} {measured.size / 2**20:.0f} MiB, and {measured.each / 2**10:.1f} KiB"
        f" for each idle connection; 10,000 would need {whole:.0f} MiB",
        flush=True,
    )


def report(options: argparse.Namespace) -> None:
    print(f"channel layer: {settings.CHANNEL_LAYERS['default']['BACKEND']}")
    print("clients  server  frames/s  sent/s  at ev./s    p50 ms   p99 ms   lost  doubled")
    ours, bare = Ours(), Bare()
    for load in LOADS:
        if options.clients and load.clients > options.clients:
            break
        floor = asyncio.run(measure(bare, load))
        show(load, bare.name, floor)
        measured = asyncio.run(measure(ours, load))
        show(load, ours.name, measured)
        throughput = measured.flood.frames_a_second / floor.flood.frames_a_second
        p99 = measured.paced.milliseconds(99) / floor.paced.milliseconds(99)
        print(f"{load.clients:7d}  to the floor: throughput {throughput:.2f}, p99 {p99:.1f}")
    show_sizes(bare.name, floor)
    show_sizes(ours.name, measured)
