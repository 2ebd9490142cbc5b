"""`make bench-http`: from a decision sent to the REST API until the next step is claimed.

Everything is real but the model: the web server, the workers, a token for each person. First one
person at a time, then as many as the server carries, then all of them at half of that rate, at
times that are set beforehand. What an arrival waits for a free connection counts, too.

The floor is what the same way takes with nothing of ours on it: the cheapest request that needs a
login (the list of entry points, one statement), and the start of a bare Celery job.
"""

import argparse
import asyncio
import itertools
import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.db import connection

from accounts.tokens import create_login_token
from projects.enums import Role
from projects.models import Membership
from tools.benchmarks import floor
from tools.benchmarks.__main__ import percentile
from tools.benchmarks.engine import wait_until
from tools.benchmarks.peers.systems import Ours
from tools.benchmarks.profile import markdown
from tools.benchmarks.stack import web_server, worker

APPLICATION = "orchestrator.asgi:application"
DECISIONS = "/api/v1/hitl/requests/{}/decisions/"
CHEAPEST = "/api/v1/"
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
PAUSE_SECONDS = 0.002
WARM_SECONDS = 3
FLOOR_SAMPLES = 100
# Projects are made beforehand, for so many decisions a second at first, then for somewhat more than
# there were; a trial that has no more ends sooner.
WARM_A_SECOND, MORE = 30, 1.3

Row = tuple[Any, ...]


def report(options: argparse.Namespace) -> None:
    with worker(), web_server(APPLICATION, "uvicorn") as server, asyncio.Runner() as runner:
        people = [Client(server.port, token) for token in make_tokens(options.clients)]
        office = Office(people, options.steps)
        runner.run(office.open(os.environ["DATABASE_URL"]))
        office.stock(options.clients, WARM_SECONDS * WARM_A_SECOND)
        warm = runner.run(office.closed(options.clients, WARM_SECONDS))
        bare = runner.run(office.bare(FLOOR_SAMPLES)), floor.celery_start_seconds(FLOOR_SAMPLES)
        expected = warm.a_second * options.seconds * MORE
        office.stock(1, expected)
        alone = runner.run(office.closed(1, options.seconds))
        office.stock(options.clients, expected)
        most = runner.run(office.closed(options.clients, options.seconds))
        half = most.a_second / 2
        # Twice as many as people, so that something waits whenever somebody comes.
        office.stock(2 * options.clients, half * options.seconds)
        timed = runner.run(office.at_a_rate(half, options.seconds))
        again = runner.run(office.bare(FLOOR_SAMPLES)), floor.celery_start_seconds(FLOOR_SAMPLES)
        runner.run(office.close())
    gets, jobs = (first + second for first, second in zip(bare, again, strict=True))
    print("\n".join(table(gets, jobs, alone, most, timed, options.clients)))


def table(
    gets: list[float],
    jobs: list[float],
    alone: "Trial",
    most: "Trial",
    timed: "Trial",
    clients: int,
) -> list[str]:
    both = [get + job for get, job in zip(gets, jobs, strict=True)]
    floors = [*ms(both), *ms(gets)]
    head = ["", "/s", "to the next claim p50, ms", "p95", "answer p50, ms", "p95", "5xx", "other"]
    rows = [head, ["floor: GET and bare Celery job", "", *floors, "", ""]]
    for title, trial in (
        ("one client", alone),
        (f"{clients} clients, the maximum", most),
        (f"{clients} clients, half of it", timed),
    ):
        times = [*ms(trial.claims), *ms(trial.answers)]
        counts = [str(trial.errors), str(trial.others)]
        rows.append([title, f"{trial.a_second:.1f}", *times, *counts])
    for title, trial, base in (
        ("ratio, half to one client", timed, (alone.claims, alone.answers)),
        ("ratio, one client to the floor", alone, (both, gets)),
    ):
        ratios = [
            f"{percentile(values, part) / percentile(below, part):.2f}"
            for values, below in zip((trial.claims, trial.answers), base, strict=True)
            for part in (0.50, 0.95)
        ]
        rows.append([title, "", *ratios, "", ""])
    return markdown(rows)


def ms(values: list[float]) -> list[str]:
    return [f"{percentile(values, part) * 1000:.1f}" for part in (0.50, 0.95)]


def make_tokens(count: int) -> list[str]:
    people = [User.objects.get_or_create(username=f"approver{n}")[0] for n in range(count)]
    return [create_login_token(person) for person in people]


@dataclass
class Trial:
    """Seconds. `sent`: when a decision was sent, or was to be, by the id of its request."""

    a_second: float = 0.0
    sent: dict[str, float] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        return sum(count for status, count in self.statuses.items() if status >= 500)

    @property
    def others(self) -> int:
        """Refused decisions: there should be none."""
        return self.statuses.total() - self.statuses[201] - self.errors


class Client:
    """A connection that stays open; as little as a client can be, for the server is measured."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.head = (
            f"{{}} {{}} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Token {token}\r\n"
            "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
            "\r\n"
        )

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def request(self, method: str, path: str, body: str = "") -> int:
        """The status of the answer, which is read to its end."""
        self.writer.write((self.head.format(method, path, len(body)) + body).encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        await self.reader.readexactly(int(LENGTH.search(head)[1]))
        return int(head[9:12])


class Office:
    """People who decide, and the projects whose requests they find in their inbox.

    One watcher for all of them asks for the next requests of the projects that are at work.
    """

    def __init__(self, people: Sequence[Client], steps: int) -> None:
        self.people, self.steps = people, steps
        self.projects = Ours(os.environ["DATABASE_URL"])
        #: First requests of projects that nobody has looked at.
        self.spare: list[Row] = []

    async def open(self, url: str) -> None:
        self.database = await psycopg.AsyncConnection.connect(
            url, autocommit=True, prepare_threshold=0
        )
        for person in self.people:
            await person.open()

    async def close(self) -> None:
        for person in self.people:
            person.writer.close()
        await self.database.close()
        self.projects.close()

    def stock(self, projects: int, decisions: float) -> None:
        """Have enough projects whose first step waits for its decision: some at a time, in all for
        so many decisions."""
        count = projects + math.ceil(decisions / self.steps)
        # One step more than is decided, so that a step follows every decision.
        ids = self.projects.start(max(0, count - len(self.spare)), self.steps + 1)
        users = User.objects.filter(username__startswith="approver")
        Membership.objects.bulk_create(
            Membership(project_id=project, user=user, role=Role.APPROVER)
            for project, user in itertools.product(ids, users)
        )
        wait_until(lambda: len(_pending(ids)) == len(ids))
        self.spare += _pending(ids)

    async def bare(self, count: int) -> list[float]:
        """Of the cheapest requests, one after the other."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            assert await self.people[0].request("GET", CHEAPEST) == 200
            times.append(time.perf_counter() - start)
        return times

    async def closed(self, clients: int, seconds: float) -> Trial:
        """Each of these people decides as soon as something waits; one project for each."""
        trial = self._begin(clients)
        start = time.time()
        self.ends_at = start + seconds

        async def decide_on(person: Client) -> None:
            while (left := self.ends_at - time.time()) > 0:
                try:
                    row = await asyncio.wait_for(self.inbox.get(), left)
                except TimeoutError:
                    return
                await self._decide(person, row, trial, time.time())

        await self._while_watching(*map(decide_on, self.people[:clients]))
        in_time = sum(
            sent + answer <= self.ends_at
            for sent, answer in zip(trial.sent.values(), trial.answers, strict=True)
        )
        trial.a_second = in_time / (self.ends_at - start)
        return await self._with_claims(trial)

    async def at_a_rate(self, a_second: float, seconds: float) -> Trial:
        """Decisions come at fixed times, however long those before take."""
        trial = self._begin(2 * len(self.people))
        trial.a_second = a_second
        free: asyncio.Queue[Client] = asyncio.Queue()
        for person in self.people:
            free.put_nowait(person)
        start = time.time()

        async def arrive(at: float) -> None:
            await asyncio.sleep(at - time.time())
            row, person = await self.inbox.get(), await free.get()
            await self._decide(person, row, trial, at)
            free.put_nowait(person)

        times = [start + number / a_second for number in range(round(a_second * seconds))]
        await self._while_watching(*map(arrive, times))
        return await self._with_claims(trial)

    def _begin(self, projects: int) -> Trial:
        self.inbox: asyncio.Queue[Row] = asyncio.Queue()
        self.left: Counter[str] = Counter()
        #: Projects whose next request is to come.
        self.at_work: set[str] = set()
        self.seen: set[str] = set()
        self.ends_at = math.inf
        for _ in range(projects):
            self._take_spare()
        return Trial()

    def _take_spare(self) -> None:
        if not self.spare:
            self.ends_at = min(self.ends_at, time.time())
            return
        row = self.spare.pop()
        self.seen.add(str(row[1]))
        self.left[str(row[1])] = self.steps
        self.inbox.put_nowait(row)

    async def _decide(self, person: Client, row: Row, trial: Trial, asked: float) -> None:
        request, project, digest = str(row[0]), str(row[1]), row[2]
        body = json.dumps({"action": "approve", "subject_digest": digest})
        status = await person.request("POST", DECISIONS.format(request), body)
        trial.statuses[status] += 1
        trial.answers.append(time.time() - asked)
        trial.sent[request] = asked
        self.left[project] -= 1
        if status == 201 and self.left[project]:
            self.at_work.add(project)
        else:
            self._take_spare()

    async def _while_watching(self, *work: Any) -> None:
        watcher = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*work)
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        while True:
            if self.at_work:
                found = await self.database.execute(Ours.PENDING, [[*self.at_work]])
                for row in await found.fetchall():
                    self.at_work.discard(str(row[1]))
                    self.inbox.put_nowait(row)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _with_claims(self, trial: Trial) -> Trial:
        """Wait for the steps that follow, and note when they were claimed."""
        limit = time.monotonic() + 30
        rows: list[Row] = []
        while len(rows) < trial.statuses[201] and time.monotonic() < limit:
            await asyncio.sleep(0.2)
            found = await self.database.execute(Ours.WAITS, [[*self.seen]])
            rows = await found.fetchall()
        assert len(rows) == trial.statuses[201], "a step that follows a decision has not begun"
        trial.claims = [started - trial.sent[request] for request, _, started in rows]
        return trial


def _pending(projects: Sequence[str]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(Ours.PENDING, [list(projects)])
        return cursor.fetchall()
