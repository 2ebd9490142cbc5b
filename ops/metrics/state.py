"""What is true now, asked when Prometheus asks. Every web process says the same: use `max`."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.health.check import Check, Finding, Status, checks, run_checks
from ops.health.clients import database_cursor

OPEN = """
    SELECT 'task', status, count(*) FROM tasks
    WHERE status NOT IN ('completed', 'failed', 'cancelled') GROUP BY status
    UNION ALL
    SELECT 'request', kind, count(*) FROM hitl_requests WHERE status = 'pending' GROUP BY kind
    UNION ALL
    SELECT 'project', status, count(*) FROM projects WHERE status IN ('active', 'paused')
    GROUP BY status
"""


def count_open() -> Finding:
    with database_cursor() as cursor:
        cursor.execute(OPEN)
        return Finding(facts={"rows": cursor.fetchall()})


OPEN_CHECK = Check("open", count_open)


class StateCollector(Collector):
    """Leaves out what it cannot learn; `paraph_component_up` says so."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        found = run_checks([*checks, OPEN_CHECK])
        yield from _components(found)
        yield from _work(found["celery"].facts)
        yield from _open(found["open"].facts)
        yield from _pool()


def _components(found: dict[str, Finding]) -> Iterator[Metric]:
    up = [((name,), found[name].status != Status.UNHEALTHY) for name in checks.values]
    yield _gauge("component_up", "1 unless the component is unhealthy.", ["component"], up)
    version = [((settings.VERSION,), 1)]
    yield _gauge("build_info", "The version that runs.", ["version"], version)


def _work(facts: dict[str, Any]) -> Iterator[Metric]:
    if not facts:
        return
    workers = [((queue,), count) for queue, count in facts["workers"].items()]
    yield _gauge("workers", "Live workers.", ["queue"], workers)
    lengths = [((queue,), count) for queue, count in facts["queue_length"].items()]
    yield _gauge("queue_length", "Jobs in Redis.", ["queue"], lengths)
    yield _gauge("due_tasks", "Tasks that wait for a worker.", [], [((), facts["due_tasks"])])
    oldest = [((), facts["oldest_due_seconds"])]
    yield _gauge("oldest_due_task_seconds", "How long the first of them has waited.", [], oldest)
    if facts["beat_age_seconds"] is not None:
        age = [((), facts["beat_age_seconds"])]
        yield _gauge("scheduler_beat_age_seconds", "Since the scheduler's last beat.", [], age)


def _open(facts: dict[str, Any]) -> Iterator[Metric]:
    if not facts:
        return
    shown = {
        "task": ("open_tasks", "Tasks that are not done.", "status"),
        "request": ("pending_requests", "Requests that wait for a person.", "kind"),
        "project": ("open_projects", "Projects under way.", "status"),
    }
    for thing, (name, meaning, label) in shown.items():
        counts = [((word,), count) for what, word, count in facts["rows"] if what == thing]
        yield _gauge(name, meaning, [label], counts)


def _pool() -> Iterator[Metric]:
    """Of the process that answers; there is a pool in web processes only."""
    if not connection.settings_dict["OPTIONS"].get("pool"):
        return
    stats = connection.pool.get_stats()
    in_use = stats["pool_size"] - stats["pool_available"]
    states = {
        "in_use": in_use,
        "available": stats["pool_available"],
        "waiting": stats["requests_waiting"],
        "limit": stats["pool_max"],
    }
    meaning = "Database connections of this process, and requests that wait for one."
    yield _gauge("database_pool", meaning, ["state"], [((s,), n) for s, n in states.items()])


def _gauge(
    name: str, meaning: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paraph_{name}", meaning, labels=labels)
    for words, value in values:
        family.add_metric(words, float(value))
    return family
