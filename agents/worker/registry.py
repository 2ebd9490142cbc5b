"""Who is there, in one table: for emergency stops, health and metrics.

A process that runs tasks acknowledges stops. A consumer takes jobs from queues: it reports itself
only as long as it has its broker. The scheduler reports that it puts jobs into the queue. Times are
the database's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection

from agents.enums import WorkerKind
from agents.models import WORKER_SEEN_SECONDS, WorkerProcess

REPORT_SECONDS = 5.0
FORGET_AFTER_SECONDS = 3600
SCHEDULER = "scheduler"

REPORT = """
    INSERT INTO worker_processes (name, kind, queues, concurrency, started_at, seen_at)
    VALUES (%s, %s, %s, %s, clock_timestamp(), clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET queues = EXCLUDED.queues,
        concurrency = EXCLUDED.concurrency, seen_at = EXCLUDED.seen_at
"""
FORGET_OLD = """
    DELETE FROM worker_processes
    WHERE seen_at < clock_timestamp() - make_interval(secs => %s)
"""
PRESENT = """
    SELECT kind, name, queues, extract(epoch FROM clock_timestamp() - seen_at)::float
    FROM worker_processes WHERE kind <> 'process'
"""


@dataclass(frozen=True)
class Presence:
    """Names of the live consumers by queue; the age is None where the scheduler is unknown."""

    consumers: dict[str, list[str]] = field(default_factory=dict)
    beat_age_seconds: float | None = None


def report_process(name: str, concurrency: int = 1) -> None:
    """This process runs so many tasks at once, and will acknowledge stops."""
    _report(name, WorkerKind.PROCESS, concurrency=concurrency)


def report_consumer(name: str, queues: Iterable[str]) -> None:
    """This worker takes jobs from these queues, now."""
    _report(name, WorkerKind.CONSUMER, queues)


def report_scheduler() -> None:
    """The scheduler has put a job into the queue, now."""
    _report(SCHEDULER, WorkerKind.SCHEDULER)


def _report(
    name: str, kind: WorkerKind, queues: Iterable[str] = (), *, concurrency: int = 0
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(REPORT, [name, kind, ",".join(sorted(queues)), concurrency])
        cursor.execute(FORGET_OLD, [FORGET_AFTER_SECONDS])


def forget_processes(prefix: str) -> None:
    """These processes end; no stop waits for them."""
    WorkerProcess.objects.filter(name__startswith=prefix).delete()


def forget_consumer(name: str) -> None:
    WorkerProcess.objects.filter(name=name).delete()


def read_presence() -> Presence:
    consumers: dict[str, list[str]] = {}
    beat_age_seconds = None
    with connection.cursor() as cursor:
        cursor.execute(PRESENT)
        for kind, name, queues, age_seconds in cursor.fetchall():
            if kind == WorkerKind.SCHEDULER:
                beat_age_seconds = max(0.0, age_seconds)
            elif age_seconds < WORKER_SEEN_SECONDS:
                for queue in queues.split(","):
                    consumers.setdefault(queue, []).append(name)
    return Presence(consumers, beat_age_seconds)
