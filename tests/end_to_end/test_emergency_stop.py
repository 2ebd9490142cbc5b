"""An emergency stop with real workers: at once, for good, and until it is released."""

import pytest
from django.conf import settings
from redis import Redis

from agents.models import EmergencyStop, Task, TaskAttempt, WorkerProcess
from agents.tasks import run_task
from audit.models import Event
from orchestrator.models import WorkflowRun
from tests.fixtures import BRIEF
from tests.live import empty_queues, eventually
from tests.scenes import hand_in, pending_request, release, stop

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]

# The aim is 2 s. A busy machine gets more, but less than a heartbeat, a poll and a lease take.
AIM_SECONDS = 5


def ready(start_worker, count, **environment):
    """So many workers of two processes each, all of which watch."""
    workers = [start_worker(processes=2, **environment) for _ in range(count)]
    eventually(lambda: WorkerProcess.objects.filter(kind="process").count() == 2 * count)
    return workers


def seconds_to_last(stop_id):
    found = EmergencyStop.objects.get(pk=stop_id)
    return found.seconds_to_last_acknowledgement


def test_a_stop_ends_running_work_at_once_and_lasts_until_it_is_released(
    owner, staff, start_worker, tmp_path
):
    stuck_at = tmp_path / "stuck"
    environment = {"MODEL_DEFAULT": "stuck", "STUCK_AT": str(stuck_at), "LEASE_SECONDS": "600"}
    ready(start_worker, 2, **environment)
    project = hand_in(owner, BRIEF)
    eventually(stuck_at.exists)

    standing = stop(staff)

    took = eventually(lambda: seconds_to_last(standing.pk))
    assert took < AIM_SECONDS
    assert EmergencyStop.objects.get().workers_expected == 4
    task = eventually(lambda: Task.objects.filter(status="pending").first())
    assert (task.attempt, task.crashes) == (0, 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"

    release(staff)

    assert eventually(lambda: pending_request(project)).kind == "plan_approval"
    assert Task.objects.get().attempt == 1
    kinds = Event.objects.filter(event_type__startswith="emergency").order_by("sequence")
    assert [one.event_type.rpartition("_")[2] for one in kinds] == ["activated", "released"]


def queue_is_empty():
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    redis = Redis.from_url(settings.REDIS_URL)
    return not redis.exists(f"{prefix}agents", f"{prefix}unacked")


def test_neither_a_kill_nor_a_restart_nor_lost_rings_release_a_stop(
    owner, staff, start_worker, tmp_path
):
    stuck_at = tmp_path / "stuck"
    environment = {"MODEL_DEFAULT": "stuck", "STUCK_AT": str(stuck_at)}
    first, second = ready(start_worker, 2, **environment)
    project = hand_in(owner, BRIEF)
    eventually(stuck_at.exists)
    standing = stop(staff)
    eventually(lambda: seconds_to_last(standing.pk))
    # Nothing runs when it is acknowledged; what ran is put back afterwards.
    eventually(lambda: Task.objects.get().status == "pending")

    first.kill()
    second.stop()
    empty_queues()
    WorkerProcess.objects.all().delete()
    (third,) = ready(start_worker, 1, **environment)
    other = hand_in(owner, BRIEF)
    # The new worker has looked at it, and taken up the one before in vain.
    eventually(lambda: WorkflowRun.objects.filter(project=other).exists())
    run_task.delay(str(Task.objects.get().pk))
    eventually(lambda: queue_is_empty() and third.is_ready())

    assert Task.objects.get().status == "pending"
    assert [one.outcome for one in TaskAttempt.objects.all()] == ["handed_back"]

    release(staff)

    assert eventually(lambda: pending_request(project) and pending_request(other))
