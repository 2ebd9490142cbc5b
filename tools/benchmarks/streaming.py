"""Events from commit to client, and the same for bare `group_send`."""

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

from django.contrib.auth.models import User

from accounts.tokens import create_login_token
from audit.actors import Actor
from audit.models import Stream
from projects.services import create_project
from tools.benchmarks.sockets import Arrivals, Client, clients, resident_bytes, settled
from tools.benchmarks.stack import web_server

BATCH = 50
# Beyond what the sending itself takes.
PATIENCE_SECONDS = 25


@dataclass(frozen=True)
class Load:
    """`paced` events at `per_second`, `repeated` times; then as fast as they go: `single`, one a
    transaction, and `flood`, up to BATCH a transaction.
    """

    clients: int
    per_second: float
    paced: int
    repeated: int
    single: int
    flood: int


# A thousand clients at 50/s would be 50,000 frames a second, more than one Python process sends.
LOADS = (
    Load(1, 50, 250, 1, 2000, 3000),
    Load(100, 50, 250, 3, 300, 300),
    Load(1000, 5, 30, 1, 30, 30),
)
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
    """`size`: bytes of the server with one client; `each`: what another idle one adds.

    `flood` of the floor: each message after a bare durable commit.
    """

    paced: list[Result]
    single: Result
    flood: Result
    size: int
    each: float


class Ours:
    """Listeners of one project, and a process that records its events."""

    name, application = "stream", "orchestrator.asgi:application"

    def __init__(self) -> None:
        user, _ = User.objects.get_or_create(username="listener")
        self.token = create_login_token(user)
        fields = {"name": "Bench", "brief": "Events.", "auto_start": False}
        self.project = create_project(actor=Actor.of_user(user), **fields).pk

    @property
    def path(self) -> str:
        return f"/ws/projects/{self.project}/?after={self.head()}"

    def head(self) -> int:
        return Stream.objects.get(project=self.project).sequence

    def send(self, count: int, per_second: float, *, batch: int = 1) -> Sender:
        arguments = [
            str(self.project),
            str(count),
            str(per_second),
            str(batch),
        ]
        return _start("tools.benchmarks.writer", *arguments)


class Bare:
    """Consumers in one group, and a process that sends to it."""

    name, application, path, token = (
        "bare",
        "tools.benchmarks.bare:application",
        "/",
        str(uuid.uuid4()),
    )

    def head(self) -> int:
        return 0

    def send(self, count: int, per_second: float, *, batch: int = 0) -> Sender:
        """Where ours commits many together, a bare commit before each message."""
        return _start("tools.benchmarks.bare", str(count), str(per_second), str(int(batch > 0)))


def _start(module: str, *arguments: str) -> Sender:
    command = [sys.executable, "-m", module, *arguments]
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the process has ended
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, text=True)
    return Sender(process, said)


async def run(
    side: Any, listening: list[Client], count: int, per_second: float, **options: int
) -> Result:
    """All events to all clients, or what of them arrives."""
    arrivals, head = Arrivals(), await asyncio.to_thread(side.head)
    for client in listening:
        client.begin(head, arrivals)
    sender = side.send(count, per_second, **options)
    reporting = asyncio.create_task(_report(sender.process, listening))
    try:
        patience = PATIENCE_SECONDS + (count / per_second if per_second else 0)
        await settled(_is_over(sender.process, listening, head + count), patience)
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


async def measure(side: Any, load: Load, server: str) -> Measured:
    """Size, latency at the load's pace, and throughput."""
    with web_server(side.application, server) as process:
        path, head = await asyncio.to_thread(lambda: (side.path, side.head()))
        options = {"port": process.port, "path": path, "token": side.token, "after": head}
        async with clients(1, **options):
            size = resident_bytes(process.pid)
            async with clients(load.clients, **options) as listening:
                each = (resident_bytes(process.pid) - size) / load.clients
                paced = [
                    await run(side, listening, load.paced, load.per_second)
                    for _ in range(load.repeated)
                ]
                single = await run(side, listening, load.single, 0)
                flood = await run(
                    side, listening, load.flood, 0, batch=min(BATCH, load.flood // 10)
                )
                return Measured(paced, single, flood, size, each)
