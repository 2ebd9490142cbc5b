"""The state at the time of a scrape. Every web process reports the same, so aggregate by `max`."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from audit.installation import INSTALLATION
from notifications.channel import channels
from notifications.models import RETRIED_FOR
from ops.health.check import Check, Finding, Status, checks, run_checks
from ops.health.clients import database_cursor

COUNT_OPEN = """
    SELECT 'task', status, count(*) FROM tasks
    WHERE status NOT IN ('completed', 'failed', 'cancelled') GROUP BY status
    UNION ALL
    SELECT 'request', kind, count(*) FROM hitl_requests WHERE status = 'pending' GROUP BY kind
    UNION ALL
    SELECT 'project', status, count(*) FROM projects WHERE status IN ('active', 'paused')
    GROUP BY status
    UNION ALL
    SELECT 'action', 'approved', count(*) FROM agent_actions WHERE status = 'approved'
    UNION ALL
    SELECT 'action', 'executing', count(*) FROM agent_actions WHERE status = 'executing'
    UNION ALL
    -- By the question whether it happened, which stays open as long as nobody knows.
    SELECT 'action', 'unknown', count(*) FROM hitl_requests
    WHERE status = 'pending' AND kind = 'escalation' AND agent_action_id IS NOT NULL
"""

# `retry_until` is a day after it was first due; `run_at` moves with each attempt.
COUNT_NOTIFICATIONS = """
    SELECT 'webhook', status, count(*),
        %s + extract(epoch FROM clock_timestamp() - min(retry_until))
    FROM webhook_deliveries WHERE status IN ('pending', 'dead') GROUP BY status
    UNION ALL
    SELECT channel, status, count(*),
        %s + extract(epoch FROM clock_timestamp() - min(retry_until))
    FROM notifications
    WHERE status = 'dead' OR (status = 'pending' AND (attempts > 0 OR run_at < clock_timestamp()))
    GROUP BY channel, status
"""
COUNT_UNREAD = """
    SELECT count(*) FROM event_streams AS stream
    LEFT JOIN notification_cursors AS mark ON mark.project = stream.project
    WHERE stream.sequence <> coalesce(mark.sequence, 0) AND stream.project <> %s
"""


def count_open() -> Finding:
    with database_cursor() as cursor:
        cursor.execute(COUNT_OPEN)
        return Finding(facts={"rows": cursor.fetchall()})


def count_notifications() -> Finding:
    with database_cursor() as cursor:
        cursor.execute(COUNT_NOTIFICATIONS, [RETRIED_FOR.total_seconds()] * 2)
        rows = cursor.fetchall()
        cursor.execute(COUNT_UNREAD, [INSTALLATION])
        return Finding(facts={"rows": rows, "unread": cursor.fetchone()[0]})


OPEN_CHECK = Check("open", count_open)
NOTIFICATIONS_CHECK = Check("notifications", count_notifications)


class StateCollector(Collector):
    """Leaves out what a failed check would have given; `paraph_component_up` tells which failed."""

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        findings = run_checks([*checks, OPEN_CHECK, NOTIFICATIONS_CHECK])
        up = [((name,), findings[name].status != Status.UNHEALTHY) for name in checks.values]
        yield _gauge("component_up", "1 unless the component is unhealthy.", ["component"], up)
        version = [((settings.VERSION,), 1)]
        yield _gauge("build_info", "The version that runs.", ["version"], version)
        yield from work_metrics(findings["celery"].facts)
        yield from queue_metrics(findings["queues"].facts)
        yield from open_metrics(findings["open"].facts)
        yield from integrity_metrics(findings["integrity"].facts)
        yield from notification_metrics(findings["notifications"].facts)
        # Of the process that answers; only web processes have a pool.
        if connection.settings_dict["OPTIONS"].get("pool"):
            stats = connection.pool.get_stats()
            available = stats["pool_available"]
            states = [
                (("in_use",), stats["pool_size"] - available),
                (("available",), available),
                (("waiting",), stats["requests_waiting"]),
                (("limit",), stats["pool_max"]),
            ]
            meaning = "Database connections of this process, and requests that wait for one."
            yield _gauge("database_pool", meaning, ["state"], states)


def work_metrics(facts: dict[str, Any]) -> Iterator[Metric]:
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


def queue_metrics(facts: dict[str, Any]) -> Iterator[Metric]:
    if facts:
        ages = [((queue,), age) for queue, age in facts["oldest_message_seconds"].items()]
        meaning = "How long the oldest message of a queue has waited."
        yield _gauge("oldest_message_seconds", meaning, ["queue"], ages)


def integrity_metrics(facts: dict[str, Any]) -> Iterator[Metric]:
    if not facts:
        return
    meanings = {
        "problems": "Logs that do not hold, or rows that are not what they say.",
        "unverified_seconds": "Since the log that was verified longest ago was.",
        "unsigned_seconds": "Since the last checkpoint, where there are events after it.",
    }
    for name, meaning in meanings.items():
        samples = [] if facts[name] is None else [((), facts[name])]
        yield _gauge(f"log_{name}", meaning, [], samples)


def open_metrics(facts: dict[str, Any]) -> Iterator[Metric]:
    if not facts:
        return
    metrics = {
        "task": ("open_tasks", "Tasks that are not done.", "status"),
        "request": ("pending_requests", "Requests that wait for a person.", "kind"),
        "project": ("open_projects", "Projects under way.", "status"),
        "action": ("open_actions", "Actions that were approved and are not over.", "status"),
    }
    for subject, (name, meaning, label) in metrics.items():
        counts = [((value,), count) for kind, value, count in facts["rows"] if kind == subject]
        yield _gauge(name, meaning, [label], counts)


def notification_metrics(facts: dict[str, Any]) -> Iterator[Metric]:
    if not facts:
        return
    counts = {(channel, status): (count, age) for channel, status, count, age in facts["rows"]}
    kinds = {
        "pending_notifications": ("Notifications that are due and not sent.", "pending", 0),
        "oldest_notification_seconds": ("How long the first of them has waited.", "pending", 1),
        "dead_notifications": ("Notifications that were given up.", "dead", 0),
    }
    for name, (meaning, status, place) in kinds.items():
        values = [((c,), counts.get((c, status), (0, 0))[place]) for c in channels.values]
        yield _gauge(name, meaning, ["channel"], values)
    unread = [((), facts["unread"])]
    yield _gauge(
        "unread_logs", "Projects with events that notifications have not read.", [], unread
    )


def _gauge(
    name: str, meaning: str, labels: list[str], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paraph_{name}", meaning, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, float(value))
    return family
