"""The watch of a worker process. Its interrupts are real signals, its hints a real Redis's."""

import signal
import time

import pytest
from django.db import OperationalError

from agents.models import EmergencyStop, TaskAttempt, WorkerProcess
from agents.stops import monitor as watches
from agents.stops.monitor import Watch
from agents.stops.pubsub import publish_stop_hint
from agents.worker.lease import INTERRUPT, LeaseLost, held
from agents.worker.run import run
from tests.agents.moves import WORKER, claim, first_task, seen
from tests.agents.stops import release, stop
from tests.agents.test_lease import LONG_SECONDS, eventually, slow_model, work_long, work_on
from tests.scenes import side_task

__all__ = ["slow_model"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
]


@pytest.fixture
def start_watch(settings, monkeypatch):
    """Watches of this process, until the test is over; only hints make them look again soon."""
    before = signal.getsignal(INTERRUPT)
    settings.STOP_POLL_SECONDS = LONG_SECONDS
    started = []

    def start() -> Watch:
        started.append(Watch(WORKER))
        assert eventually(lambda: WorkerProcess.objects.filter(name=WORKER).exists())
        assert eventually(lambda: started[-1].is_listening)
        return started[-1]

    yield start
    for one in started:
        one.end()
    signal.signal(INTERRUPT, before)


def test_work_is_interrupted_at_once_and_the_stop_acknowledged(
    project, staff, slow_model, start_watch
):
    start_watch()
    task = first_task(project)
    slow_model.meanwhile = lambda: stop(staff)
    started = time.monotonic()

    assert run(task_id=task.pk, worker=WORKER) is False

    assert time.monotonic() - started < LONG_SECONDS
    assert eventually(lambda: EmergencyStop.objects.get().seconds_to_last_acknowledgement)
    assert (seen(task).status, seen(task).attempt, seen(task).crashes) == ("pending", 0, 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"


def test_work_outside_of_the_scope_goes_on(project, owner, start_watch):
    start_watch()
    task, other = first_task(project), side_task(project)

    with held(claim(other)):
        stop(owner, project_id=project.pk, agent_type="orchestrator")
        assert eventually(lambda: EmergencyStop.objects.get().seconds_to_last_acknowledgement)

    assert seen(other).status == "working"
    assert seen(task).status == "pending"


def test_without_hints_the_stop_is_found_by_looking(project, staff, settings, start_watch, caplog):
    settings.STOP_POLL_SECONDS = 0.05
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = Watch(WORKER)
    try:
        assert eventually(lambda: WorkerProcess.objects.filter(name=WORKER).exists())
        taken = claim(first_task(project))
        with pytest.raises(LeaseLost):
            work_on(taken, lambda: stop(staff))
        assert eventually(lambda: EmergencyStop.objects.get().seconds_to_last_acknowledgement)
    finally:
        started.end()


def test_a_watch_survives_a_database_that_is_away(staff, start_watch, monkeypatch):
    real, calls = watches.active_stops, []

    def away_at_first(worker):
        calls.append(worker)
        if len(calls) == 1:
            raise OperationalError("away")
        return real(worker)

    monkeypatch.setattr(watches, "active_stops", away_at_first)
    start_watch()

    stop(staff)

    assert eventually(lambda: EmergencyStop.objects.get().seconds_to_last_acknowledgement)


def test_work_that_began_after_the_acknowledgement_is_found(project, staff, settings, start_watch):
    """A claim whose statement began before the stop was there."""
    settings.STOP_POLL_SECONDS = 0.05
    start_watch()
    taken = claim(first_task(project))
    stop(staff)
    assert eventually(lambda: EmergencyStop.objects.get().seconds_to_last_acknowledgement)

    with pytest.raises(LeaseLost), held(taken):
        work_long()

    assert eventually(lambda: seen(taken.task).status == "pending")


def test_after_a_release_the_same_process_works_again(
    project, staff, slow_model, start_watch, settings
):
    start_watch()
    task = first_task(project)
    slow_model.meanwhile = lambda: stop(staff)
    run(task_id=task.pk, worker=WORKER)
    release(staff)
    settings.AGENT_MODELS = {"orchestrator": "demo"}
    settings.MODEL_PROVIDERS = {"demo": "agents.providers.demo.DemoModel"}

    assert run(task_id=task.pk, worker=WORKER) is True


def test_a_hint_without_a_stop_does_nothing(project, start_watch):
    start_watch()
    taken = claim(first_task(project))

    with held(taken):
        publish_stop_hint()

    assert seen(taken.task).status == "working"
