"""Each system, as the comparison runs it: some runs, decided by some drivers."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.contrib.auth.models import User
from django.db import connection
from psycopg import sql

from audit.actors import Actor
from hitl.services import decide
from projects.models import Project
from projects.services import start_project
from tools.benchmarks.engine import make_project
from tools.benchmarks.instant import PROSE
from tools.benchmarks.peers import floor
from tools.benchmarks.peers.drivers import Driven, Drivers
from tools.benchmarks.tasks import take_floor_step

PROGRAMS = Path(__file__).parent


@dataclass
class Measurement:
    """One system with one number of drivers. Seconds."""

    steps_a_second: float
    #: From the call that decides to the start of the next step.
    waits: list[float]
    #: From the decision's row to the start of the next step, by the database's clock.
    waits_in_database: list[float] = field(default_factory=list)


class System(Protocol):
    def measure(self, runs: int, steps: int, drivers: Sequence[int]) -> dict[int, Measurement]: ...

    def close(self) -> None: ...


class Floor:
    def __init__(self, url: str) -> None:
        self.url = fresh_database(url, "bench_floor")
        floor.create_tables(self.url)
        self.drivers = Drivers(self.url, floor.PENDING, self._decide)

    def measure(self, runs: int, steps: int, drivers: Sequence[int]) -> dict[int, Measurement]:
        return {count: self._measure(runs, steps, count) for count in drivers}

    def close(self) -> None:
        self.drivers.close()

    def _measure(self, runs: int, steps: int, drivers: int) -> Measurement:
        made = [floor.add_run(self.url, steps) for _ in range(runs)]
        for run, task in made:
            take_floor_step.delay(self.url, run, task)
        ids = [run for run, _ in made]
        driven = self.drivers.run(drivers, ids, steps)
        with psycopg.connect(self.url) as database:
            rows = database.execute(floor.WAITS, [ids]).fetchall()
            query = "SELECT count(*) FROM runs WHERE status = 'completed' AND id = ANY(%s::uuid[])"
            (completed,) = database.execute(query, [ids]).fetchone()
        assert completed == runs
        return measurement(driven, rows, runs, steps)

    def _decide(self, request: UUID, run: UUID, digest: str) -> None:
        task = floor.decide(self.url, str(run), str(request), digest)
        if task is not None:
            take_floor_step.delay(self.url, str(run), task)


class Ours:
    PENDING = """
        SELECT id, project_id, subject_digest FROM hitl_requests
        WHERE status = 'pending' AND project_id = ANY(%s::uuid[])
    """
    WAITS = """
        SELECT decided.hitl_request::text, extract(epoch FROM decided.created_at)::float8,
            extract(epoch FROM min(started.created_at))::float8
        FROM event_log AS decided JOIN event_log AS started
            ON started.project = decided.project AND started.sequence > decided.sequence
            AND started.event_type = 'task_started'
        WHERE decided.project = ANY(%s::uuid[])
            AND decided.event_type = 'hitl_decision_recorded'
        GROUP BY decided.id
    """

    def __init__(self, url: str) -> None:
        user, _ = User.objects.get_or_create(username="bench")
        self.actor = Actor.of_user(user)
        self.drivers = Drivers(url, self.PENDING, self._decide)

    def measure(self, runs: int, steps: int, drivers: Sequence[int]) -> dict[int, Measurement]:
        return {count: self._measure(runs, steps, count) for count in drivers}

    def close(self) -> None:
        self.drivers.close()

    def start(self, runs: int, steps: int) -> list[str]:
        made = [make_project(steps, "medium") for _ in range(runs)]
        for project in made:
            start_project(project_id=project.pk, actor=self.actor)
        return [str(project.pk) for project in made]

    def _measure(self, runs: int, steps: int, drivers: int) -> Measurement:
        ids = self.start(runs, steps)
        driven = self.drivers.run(drivers, ids, steps)
        assert Project.objects.filter(pk__in=ids, status="completed").count() == runs
        with connection.cursor() as cursor:
            cursor.execute(self.WAITS, [ids])
            return measurement(driven, cursor.fetchall(), runs, steps)

    def _decide(self, request: UUID, project: UUID, digest: str) -> None:
        decide(
            request_id=request,
            actor=self.actor,
            action="approve",
            subject_digest=digest,
            channel="bench",
        )


class Peer:
    """A program in the peers' own virtual environment, which is told of its task on stdin."""

    def __init__(self, url: str, *, name: str, python: str) -> None:
        self.url = fresh_database(url, f"bench_{name}")
        self.command = [python, str(PROGRAMS / f"run_{name}.py")]

    def measure(self, runs: int, steps: int, drivers: Sequence[int]) -> dict[int, Measurement]:
        task = {"url": self.url, "runs": runs, "steps": steps, "drivers": drivers, "prose": PROSE}
        answer = subprocess.run(
            self.command, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True
        )
        results: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        return {
            int(count): Measurement(runs * steps / result["seconds"], result["waits"])
            for count, result in results.items()
        }

    def close(self) -> None:
        pass


def measurement(driven: Driven, rows: Sequence[tuple], runs: int, steps: int) -> Measurement:
    """`rows`: request, time of its decision and of the next start, for all but the last steps."""
    assert len(rows) == runs * (steps - 1)
    return Measurement(
        runs * steps / driven.seconds,
        [started - driven.called[request] for request, _, started in rows],
        [started - decided for _, decided, started in rows],
    )


def fresh_database(url: str, name: str) -> str:
    """On the same server; what an earlier benchmark left there is dropped."""
    with psycopg.connect(url, autocommit=True) as database:
        identifier = sql.Identifier(name)
        database.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(identifier))
        database.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
    head, _, query = url.partition("?")
    server, _, _ = head.rpartition("/")
    return f"{server}/{name}?{query}" if query else f"{server}/{name}"
