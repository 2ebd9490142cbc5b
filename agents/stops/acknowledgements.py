"""A worker process's own account: that it is there, and that it has stopped."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connection

from agents.models import WorkerProcess
from agents.stops.queries import IS_STOPPED

FORGOTTEN_AFTER_SECONDS = 3600

REPORT = """
    INSERT INTO worker_processes (name, started_at, seen_at)
    VALUES (%s, clock_timestamp(), clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET seen_at = EXCLUDED.seen_at
"""
FORGET_OLD = """
    DELETE FROM worker_processes
    WHERE seen_at < clock_timestamp() - make_interval(secs => %s)
"""
ACTIVE = """
    SELECT stop.id, said.stop_id IS NOT NULL AND said.acknowledged_at IS NULL
    FROM emergency_stops AS stop
    LEFT JOIN emergency_stop_acknowledgements AS said
           ON said.stop_id = stop.id AND said.worker = %s
    WHERE stop.released_at IS NULL
"""
STOPPED_AMONG = f"""
    SELECT tasks.id FROM tasks
    JOIN unnest(%s::uuid[], %s::int[]) AS held(id, fence)
      ON tasks.id = held.id AND tasks.fence = held.fence
    WHERE tasks.status = 'working' AND {IS_STOPPED}
"""  # noqa: S608 - constants of ours
ACKNOWLEDGE = """
    UPDATE emergency_stop_acknowledgements SET acknowledged_at = clock_timestamp()
    WHERE worker = %s AND stop_id = ANY(%s) AND acknowledged_at IS NULL
"""


def report_worker(name: str) -> None:
    """This process is there, and will acknowledge stops."""
    with connection.cursor() as cursor:
        cursor.execute(REPORT, [name])
        cursor.execute(FORGET_OLD, [FORGOTTEN_AFTER_SECONDS])


def forget_workers(prefix: str) -> None:
    """These processes end; no stop waits for them."""
    WorkerProcess.objects.filter(name__startswith=prefix).delete()


def active_stops(worker: str) -> dict[UUID, bool]:
    """The stops that stand, each with whether this process has yet to acknowledge it."""
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE, [worker])
        return dict(cursor.fetchall())


def stopped_among(held: Mapping[UUID, int]) -> set[UUID]:
    """Of tasks by their fences, those that may not go on."""
    if not held:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(STOPPED_AMONG, [list(held), list(held.values())])
        return {row[0] for row in cursor.fetchall()}


def acknowledge_stops(worker: str, stops: Sequence[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(ACKNOWLEDGE, [worker, list(stops)])
