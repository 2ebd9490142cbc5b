"""Whether work goes on: live workers, the scheduler's beat, and what waits for them."""

from django.conf import settings

from agents.stops.queries import IS_STOPPED
from agents.worker.registry import Presence, read_presence
from ops.health.check import Finding, Status, check
from ops.health.clients import database_cursor, redis_client

QUEUES = ("engine", "agents")
# It beats every second; the first seconds after a start are no reason to worry.
LATE_BEAT_SECONDS = 15
LONG_WAIT_SECONDS = 60

# What stands still, or is stopped, waits on purpose.
DUE = f"""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(tasks.run_after)), 0)
    FROM tasks JOIN projects ON projects.id = tasks.project_id
    WHERE tasks.status = 'pending' AND tasks.run_after <= clock_timestamp()
      AND projects.status IN ('draft', 'active') AND NOT {IS_STOPPED}
"""  # noqa: S608 - constants of ours


@check("celery", order=3)
def check_workers() -> Finding:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis_client() as client:
        lengths = {queue: client.llen(f"{prefix}{queue}") for queue in QUEUES}
    with database_cursor() as cursor:
        cursor.execute(DUE)
        due, oldest = cursor.fetchone()
        presence = read_presence()
    facts = {
        "workers": {queue: len(presence.consumers.get(queue, [])) for queue in QUEUES},
        "beat_age_seconds": _rounded(presence.beat_age_seconds),
        "queue_length": lengths,
        "due_tasks": due,
        "oldest_due_seconds": _rounded(float(oldest)),
    }
    return Finding(*_verdict(presence, float(oldest)), facts)


def _verdict(presence: Presence, oldest: float) -> tuple[Status, str]:
    missing = [queue for queue in QUEUES if not presence.consumers.get(queue)]
    if missing:
        return Status.UNHEALTHY, f"no live worker for {' and '.join(missing)}"
    if presence.beat_age_seconds is None:
        return Status.DEGRADED, "the scheduler has not been heard of"
    if presence.beat_age_seconds > LATE_BEAT_SECONDS:
        return (
            Status.DEGRADED,
            f"the scheduler's last beat was {presence.beat_age_seconds:.0f} s ago",
        )
    if oldest > LONG_WAIT_SECONDS:
        return Status.DEGRADED, f"a task has waited for a worker for {oldest:.0f} s"
    return Status.HEALTHY, "workers and scheduler are there"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
