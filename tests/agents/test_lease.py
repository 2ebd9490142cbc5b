"""The lease keeper of a worker process, with real tasks and a database connection of its own."""

import asyncio
import threading

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models.functions import Now

from agents.models import Task
from agents.services import cancel_task, take_back_lost_tasks
from agents.worker import lease
from agents.worker.cancellation import LeaseLost
from agents.worker.lease import hold_lease, lost_leases, renew_leases
from agents.worker.run import run
from audit.actors import Actor
from context.models import Artifact
from tests.agents.keeper import LONG_SECONDS, blocking_model, endless_model, start_keeper, work_on
from tests.live import eventually
from tests.scenes import (
    WORKER,
    claim,
    first_task,
    fresh,
    in_background,
    let_lease_run_out,
    side_task,
)

__all__ = ["blocking_model", "endless_model", "start_keeper"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]

HEARTBEAT_SECONDS = 0.05


@pytest.fixture
def keeper(start_keeper, settings):
    settings.TASK_LEASE_SECONDS = 5
    settings.TASK_HEARTBEAT_SECONDS = HEARTBEAT_SECONDS
    started = start_keeper()
    settings.STOP_POLL_SECONDS = HEARTBEAT_SECONDS
    # It waits for its next look by the old pace still.
    started._look_now.set()
    return started


@pytest.fixture
def cancel(owner):
    return lambda task: cancel_task(actor=Actor.of_user(owner), task_id=task.pk)


def test_a_lease_is_renewed_while_the_work_goes_on(project, keeper):
    task = first_task(project)
    taken = claim(task)
    first = fresh(task).lease_expires_at

    with hold_lease(taken):
        eventually(lambda: fresh(task).lease_expires_at > first)

    assert take_back_lost_tasks() == 0


def test_a_lease_is_not_renewed_after_the_work(project, keeper):
    task, other = first_task(project), side_task(project)
    with hold_lease(claim(task)):
        pass
    let_lease_run_out(task)
    taken = claim(other)
    first = fresh(other).lease_expires_at

    with hold_lease(taken):
        eventually(lambda: fresh(other).lease_expires_at > first)

    assert take_back_lost_tasks() == 1


def test_one_keeper_looks_after_the_leases_of_many_tasks_and_cancels_each_for_itself(
    project, keeper, cancel
):
    tasks = [first_task(project), side_task(project), side_task(project)]
    claims = [claim(task) for task in tasks]
    ended = []

    def work(taken):
        with pytest.raises(LeaseLost):
            work_on(taken)
        ended.append(taken.task.pk)

    threads = [in_background(lambda taken=taken: work(taken)) for taken in claims]
    cancel(tasks[1])
    threads[1].join(LONG_SECONDS)

    assert ended == [tasks[1].pk]
    first = fresh(tasks[0]).lease_expires_at
    eventually(lambda: fresh(tasks[0]).lease_expires_at > first)
    for task in (tasks[0], tasks[2]):
        cancel(task)
    for thread in threads:
        thread.join(LONG_SECONDS)
    assert len(ended) == 3


def test_work_on_a_cancelled_task_is_ended(project, keeper, cancel):
    task = first_task(project)

    with pytest.raises(LeaseLost):
        work_on(claim(task), lambda: cancel(task))


def test_work_on_a_task_that_was_taken_back_is_ended(project, keeper):
    task = first_task(project)

    def lose():
        Task.objects.filter(pk=task.pk).update(
            status="pending", lease_expires_at=None, fence=task.fence + 2
        )

    with pytest.raises(LeaseLost):
        work_on(claim(task), lose)


def test_work_that_swallows_its_cancellation_is_cancelled_again(project, keeper, cancel):
    task = first_task(project)
    swallowed = []

    async def stubborn():
        in_background(lambda: cancel(task)).join()
        while len(swallowed) < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append(True)

    with hold_lease(claim(task)) as cancellation, pytest.raises(LeaseLost):
        cancellation.run(stubborn())

    assert len(swallowed) == 3


def test_a_job_whose_task_is_cancelled_ends_and_writes_nothing(
    project, keeper, cancel, endless_model
):
    task = first_task(project)
    endless_model.meanwhile = lambda: cancel(task)

    assert run(task_id=task.pk, worker=WORKER) is False

    assert fresh(task).status == "cancelled"
    assert not Artifact.objects.filter(task=task.pk).exists()


def test_the_next_job_of_the_process_is_not_harmed(
    project, keeper, cancel, endless_model, settings
):
    task = first_task(project)
    endless_model.meanwhile = lambda: cancel(task)
    run(task_id=task.pk, worker=WORKER)
    settings.AGENT_MODELS = {"analyst": "demo"}

    assert run(task_id=side_task(project).pk, worker=WORKER) is True


def test_the_answer_of_a_model_that_cannot_be_cancelled_is_waited_for_and_not_used(
    project, keeper, cancel, blocking_model
):
    task = first_task(project)
    results = []
    work = in_background(lambda: results.append(run(task_id=task.pk, worker=WORKER)))
    eventually(blocking_model.called.is_set)
    cancel(task)
    (cancellation,) = keeper._renew_at
    eventually(lambda: cancellation.is_requested)
    assert results == []

    blocking_model.may_answer.set()
    work.join(LONG_SECONDS)

    assert results == [False]
    assert fresh(task).status == "cancelled"


def test_a_row_that_somebody_has_locked_holds_up_no_other_lease_and_is_not_lost(project, keeper):
    task, other = first_task(project), side_task(project)
    taken, free = claim(task), claim(other)
    locked, unlock = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            Task.objects.select_for_update().get(pk=task.pk)
            locked.set()
            unlock.wait(LONG_SECONDS)

    holder = in_background(lock)
    locked.wait(LONG_SECONDS)
    first, before = fresh(other).lease_expires_at, fresh(task).lease_expires_at
    with hold_lease(taken) as cancellation, hold_lease(free):
        eventually(lambda: fresh(other).lease_expires_at > first)
        assert fresh(task).lease_expires_at == before
        assert not cancellation.is_requested
        unlock.set()
        holder.join()
        eventually(lambda: fresh(task).lease_expires_at > before)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_is_away_for_a_moment_loses_no_lease(project, keeper, monkeypatch, error):
    task = first_task(project)
    taken = claim(task)
    first = fresh(task).lease_expires_at
    renew, calls = lease.renew_leases, []

    def away_at_first(held):
        calls.append(held)
        if len(calls) <= 2:
            raise error("away")
        return renew(held)

    monkeypatch.setattr(lease, "renew_leases", away_at_first)
    with hold_lease(taken):
        eventually(lambda: fresh(task).lease_expires_at > first)

    assert len(calls) >= 3


def test_the_connection_of_the_keeper_is_not_from_the_pool():
    options = []

    def look():
        lease.use_connection_outside_pool()
        options.append(connections["default"].settings_dict["OPTIONS"])

    before = connections["default"].settings_dict["OPTIONS"]
    connections["default"].settings_dict["OPTIONS"] = before | {"pool": {"max_size": 1}}
    try:
        in_background(look).join()
    finally:
        connections["default"].settings_dict["OPTIONS"] = before

    assert options == [before]


def test_without_a_keeper_work_is_cancelled_by_its_own_checks(project, cancel):
    task = first_task(project)

    with hold_lease(claim(task)) as cancellation:
        cancellation.check()
        cancel(task)
        with pytest.raises(LeaseLost):
            cancellation.check()


def test_a_lease_is_renewed_only_by_its_fence(project):
    task = first_task(project)
    fence = claim(task).fence
    let_lease_run_out(task)

    assert renew_leases({(task.pk, fence + 1)}) == set()
    assert take_back_lost_tasks() == 1
    assert renew_leases({(task.pk, fence)}) == set()
    assert lost_leases({(task.pk, fence)}) == {(task.pk, fence)}


def test_a_renewed_lease_reaches_into_the_future(project):
    task = first_task(project)
    fence = claim(task).fence
    let_lease_run_out(task)

    assert renew_leases({(task.pk, fence)}) == {(task.pk, fence)}
    assert lost_leases({(task.pk, fence)}) == set()
    assert Task.objects.filter(lease_expires_at__gt=Now()).count() == 1
    assert take_back_lost_tasks() == 0


def test_a_cancelled_task_has_no_lease_to_renew(project, cancel):
    task = first_task(project)
    fence = claim(task).fence
    cancel(task)

    assert renew_leases({(task.pk, fence)}) == set()
    assert lost_leases({(task.pk, fence)}) == {(task.pk, fence)}
