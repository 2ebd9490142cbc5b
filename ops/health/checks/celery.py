"""Whether work goes on: live workers, the scheduler's beat, and the tasks that wait."""

from django.conf import settings
from django.utils.text import get_text_list

from agents.external import outside_parameters
from agents.services.capacity import IS_DUE
from agents.worker.registry import read_presence
from ops.health.check import Finding, Status, check
from ops.health.clients import database_cursor, redis_client

QUEUES = tuple(
    dict.fromkeys(
        [
            settings.CELERY_TASK_DEFAULT_QUEUE,
            *(route["queue"] for route in settings.CELERY_TASK_ROUTES.values()),
        ]
    )
)
# It beats every second; a start may take some seconds.
LATE_BEAT_SECONDS = 15
LONG_WAIT_SECONDS = 60

# Tasks of paused projects, those held by an emergency stop, and those for workers that run
# elsewhere, are no sign of ours.
DUE = f"""
    SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(tasks.run_after)), 0)
    FROM tasks JOIN projects ON projects.id = tasks.project_id
    WHERE {IS_DUE} AND projects.status IN ('draft', 'active')
"""  # noqa: S608 - constants of ours


@check("celery", order=3)
def check_workers() -> Finding:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with redis_client() as client:
        lengths = {queue: client.llen(f"{prefix}{queue}") for queue in QUEUES}
    with database_cursor() as cursor:
        cursor.execute(DUE, outside_parameters())
        due_tasks, oldest_seconds = cursor.fetchone()
        presence = read_presence()
    beat_age = presence.beat_age_seconds
    facts = {
        "workers": {queue: len(presence.consumers.get(queue, [])) for queue in QUEUES},
        "beat_age_seconds": None if beat_age is None else round(beat_age, 1),
        "queue_length": lengths,
        "due_tasks": due_tasks,
        "oldest_due_seconds": round(float(oldest_seconds), 1),
    }
    if missing := [queue for queue in QUEUES if not presence.consumers.get(queue)]:
        message = f"no live worker for {get_text_list(missing, 'and')}"
        return Finding(Status.UNHEALTHY, message, facts)
    if beat_age is None:
        return Finding(Status.DEGRADED, "no beat of the scheduler has been seen", facts)
    if beat_age > LATE_BEAT_SECONDS:
        message = f"the scheduler's last beat was {beat_age:.0f} s ago"
        return Finding(Status.DEGRADED, message, facts)
    if oldest_seconds > LONG_WAIT_SECONDS:
        message = f"a task has waited for a worker for {oldest_seconds:.0f} s"
        return Finding(Status.DEGRADED, message, facts)
    return Finding(Status.HEALTHY, "workers and scheduler are running", facts)
