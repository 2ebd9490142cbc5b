"""The heart of a worker process. Its interrupts are real signals to this process."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from django.db import InterfaceError, OperationalError, connection

from agents.models import Task
from agents.services import Claim, cancel_task, take_back_lost_tasks
from agents.worker import lease
from agents.worker.lease import INTERRUPT, LeaseLost, held
from agents.worker.run import run
from audit.actors import Actor
from context.models import Artifact
from tests.agents.moves import WORKER, claim, first_task, let_lease_run_out, seen
from tests.scenes import side_task

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs", "quick_heart"),
]

BEAT_SECONDS = 0.05
LONG_SECONDS = 10


@pytest.fixture
def quick_heart(settings, monkeypatch):
    settings.TASK_HEARTBEAT_SECONDS = BEAT_SECONDS
    settings.TASK_LEASE_SECONDS = 5
    before = signal.getsignal(INTERRUPT)
    yield
    signal.signal(INTERRUPT, before)


def eventually(fact: Callable[[], object]) -> bool:
    limit = time.monotonic() + LONG_SECONDS
    while time.monotonic() < limit:
        if fact():
            return True
        time.sleep(0.01)
    return False


def work_long() -> None:
    """As a role works: it looks neither at the clock nor at the database."""
    threading.Event().wait(LONG_SECONDS)


def in_background(act: Callable[[], object]) -> threading.Thread:
    def go() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=go)
    thread.start()
    return thread


def work_on(taken: Claim, meanwhile: Callable[[], object]) -> None:
    with held(taken):
        in_background(meanwhile).join()
        work_long()


class WorkingModel:
    """The edge to a provider that takes long; what it takes it for is for the test to say."""

    meanwhile: Callable[[], object]

    def produce(self, assignment, **wanted):
        in_background(type(self).meanwhile).join()
        work_long()


@pytest.fixture
def slow_model(settings):
    settings.MODEL_PROVIDERS = {"slow": "tests.agents.test_lease.WorkingModel"}
    settings.AGENT_MODELS = {"orchestrator": "slow"}
    return WorkingModel


def test_the_lease_is_renewed_while_the_work_goes_on(project):
    task = first_task(project)
    taken = claim(task)
    first = seen(task).lease_expires_at

    with held(taken):
        assert eventually(lambda: seen(task).lease_expires_at > first)

    assert take_back_lost_tasks() == 0


def test_after_the_work_the_lease_is_not_renewed(project):
    task, other = first_task(project), side_task(project)
    with held(claim(task)):
        pass
    let_lease_run_out(task)
    taken = claim(other)
    first = seen(other).lease_expires_at

    with held(taken):
        assert eventually(lambda: seen(other).lease_expires_at > first)

    assert take_back_lost_tasks() == 1


def test_work_on_a_cancelled_task_is_interrupted(project, owner):
    task = first_task(project)
    taken = claim(task)
    started = time.monotonic()

    with pytest.raises(LeaseLost):
        work_on(taken, lambda: cancel_task(actor=Actor.of_user(owner), task_id=task.pk))

    assert time.monotonic() - started < LONG_SECONDS


def test_work_on_a_task_that_was_taken_back_is_interrupted(project):
    task = first_task(project)
    taken = claim(task)

    def lose() -> None:
        Task.objects.filter(pk=task.pk).update(
            status="pending", lease_expires_at=None, fence=task.fence + 2
        )

    with pytest.raises(LeaseLost):
        work_on(taken, lose)


def test_a_job_whose_task_is_cancelled_ends_and_writes_nothing(project, owner, slow_model):
    task = first_task(project)
    slow_model.meanwhile = lambda: cancel_task(actor=Actor.of_user(owner), task_id=task.pk)
    started = time.monotonic()

    assert run(task_id=task.pk, worker=WORKER) is False

    assert time.monotonic() - started < LONG_SECONDS
    assert seen(task).status == "cancelled"
    assert not Artifact.objects.filter(task=task.pk).exists()


def test_the_next_job_of_the_process_is_not_harmed(project, owner, slow_model, settings):
    task = first_task(project)
    slow_model.meanwhile = lambda: cancel_task(actor=Actor.of_user(owner), task_id=task.pk)
    run(task_id=task.pk, worker=WORKER)
    settings.AGENT_MODELS = {"analyst": "demo"}

    assert run(task_id=side_task(project).pk, worker=WORKER) is True


def test_an_interrupt_after_the_work_harms_nobody(project):
    with held(claim(first_task(project))):
        pass

    os.kill(os.getpid(), INTERRUPT)


def test_an_interrupt_for_the_task_before_does_not_stop_the_next(project):
    task, other = first_task(project), side_task(project)
    with held(claim(task)):
        pass

    with held(claim(other)):
        os.kill(os.getpid(), INTERRUPT)

    assert seen(other).status == "working"


def test_in_a_thread_of_a_pool_the_lease_is_kept_without_signals(project):
    task = first_task(project)
    taken = claim(task)
    first = seen(task).lease_expires_at
    kept = []

    def work() -> None:
        with held(taken):
            kept.append(eventually(lambda: seen(task).lease_expires_at > first))

    in_background(work).join()

    assert kept == [True]


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_for_a_moment_loses_no_lease(project, monkeypatch, error):
    task = first_task(project)
    taken = claim(task)
    first = seen(task).lease_expires_at
    real, calls = lease.renew_leases, []

    def away_at_first(due):
        calls.append(due)
        if len(calls) <= 2:
            raise error("away")
        return real(due)

    monkeypatch.setattr(lease, "renew_leases", away_at_first)
    with held(taken):
        assert eventually(lambda: seen(task).lease_expires_at > first)

    assert len(calls) >= 3
