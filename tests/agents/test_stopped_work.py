"""An emergency stop meets work in progress, in a process with a real keeper and a real Redis."""

import pytest
from django.db import OperationalError

from agents.models import EmergencyStop, TaskAttempt, WorkerProcess
from agents.stops.pubsub import publish_stop_hint
from agents.worker import lease
from agents.worker.cancellation import StopRequested
from agents.worker.lease import hold_lease, start_lease_keeper
from agents.worker.run import run
from tests.agents.keeper import LONG_SECONDS, blocking_model, endless_model, start_keeper, work_on
from tests.live import eventually
from tests.scenes import WORKER, claim, first_task, fresh, in_background, release, side_task, stop

__all__ = ["blocking_model", "endless_model", "start_keeper"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]


def acknowledged():
    return EmergencyStop.objects.get().seconds_to_last_acknowledgement


def test_a_call_is_cancelled_at_once_and_the_stop_acknowledged(
    project, staff, endless_model, start_keeper
):
    start_keeper()
    task = first_task(project)
    endless_model.meanwhile = lambda: stop(staff)

    assert run(task_id=task.pk, worker=WORKER) is False

    assert eventually(acknowledged) < LONG_SECONDS
    assert (fresh(task).status, fresh(task).attempt, fresh(task).crashes) == ("pending", 0, 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"


def test_work_outside_of_the_scope_goes_on(project, owner, start_keeper):
    start_keeper()
    task, other = first_task(project), side_task(project)

    with hold_lease(claim(other)) as cancellation:
        stop(owner, project_id=project.pk, agent_type="orchestrator")
        eventually(acknowledged)

        assert not cancellation.is_requested
    assert fresh(other).status == "working"
    assert fresh(task).status == "pending"


def test_a_stop_is_not_acknowledged_before_the_work_has_really_ended(
    project, staff, blocking_model, start_keeper, settings
):
    start_keeper()
    settings.STOP_POLL_SECONDS = 0.02
    task = first_task(project)
    results = []
    work = in_background(lambda: results.append(run(task_id=task.pk, worker=WORKER)))
    eventually(blocking_model.called.is_set)
    (cancellation,) = lease._keeper._renew_at
    stop(staff)
    eventually(lambda: cancellation.is_requested)
    assert acknowledged() is None

    blocking_model.may_answer.set()
    work.join(LONG_SECONDS)

    eventually(acknowledged)
    assert results == [False]


def test_without_hints_a_stop_is_found_by_looking(project, staff, settings, start_keeper):
    settings.STOP_POLL_SECONDS = 0.05
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    start_lease_keeper(WORKER)
    eventually(lambda: WorkerProcess.objects.filter(name=WORKER).exists())

    with pytest.raises(StopRequested):
        work_on(claim(first_task(project)), lambda: stop(staff))

    eventually(acknowledged)


def test_a_keeper_survives_a_database_that_is_away(staff, start_keeper, monkeypatch, settings):
    settings.STOP_POLL_SECONDS = 0.05
    active_stops, calls = lease.active_stops, []

    def away_at_first(worker):
        calls.append(worker)
        if len(calls) == 1:
            raise OperationalError("away")
        return active_stops(worker)

    monkeypatch.setattr(lease, "active_stops", away_at_first)
    start_keeper()

    stop(staff)

    eventually(acknowledged)


def test_work_that_began_after_the_acknowledgement_is_found(project, staff, settings, start_keeper):
    """A claim whose statement began before the stop was there."""
    start_keeper()
    taken = claim(first_task(project))
    stop(staff)
    eventually(acknowledged)
    settings.STOP_POLL_SECONDS = 0.05
    lease._keeper._look_now.set()

    with pytest.raises(StopRequested):
        work_on(taken)


def test_after_a_release_the_same_process_works_again(
    project, staff, endless_model, start_keeper, settings
):
    start_keeper()
    task = first_task(project)
    endless_model.meanwhile = lambda: stop(staff)
    run(task_id=task.pk, worker=WORKER)
    release(staff)
    settings.AGENT_MODELS = {"orchestrator": "demo"}

    assert run(task_id=task.pk, worker=WORKER) is True


def test_a_hint_without_a_stop_does_nothing(project, start_keeper):
    start_keeper()
    taken = claim(first_task(project))

    with hold_lease(taken) as cancellation:
        publish_stop_hint()

        assert not cancellation.is_requested
    assert fresh(taken.task).status == "working"
