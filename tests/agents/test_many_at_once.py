"""Many tasks in one process: each thread waits for its call, and holds nothing meanwhile."""

import asyncio
import threading

import pytest
from django.db import connection, connections

from agents import sandbox
from agents.models import TaskAttempt
from agents.providers.event_loop import run_on_loop, shared_client
from agents.sandbox import run as sandbox_run
from agents.services import cancel_task, hand_back
from agents.worker.cancellation import Cancellation, LeaseLost, TimeLimitReached, as_current
from agents.worker.lease import cancel_all_work, hold_lease
from agents.worker.run import run
from audit.actors import Actor
from core import database
from tests.agents.keeper import LONG_SECONDS, start_keeper, work_on
from tests.live import eventually
from tests.openai_server import OpenAIServer, hang
from tests.scenes import (
    WORKER,
    claim,
    event_data,
    first_task,
    fresh,
    in_background,
    release,
    side_task,
    stop,
)

__all__ = ["start_keeper"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]

MANY = 12


@pytest.fixture
def server(settings):
    with OpenAIServer() as running:
        settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_MODELS, "openai-chat:test-model")
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", running.base_url
        settings.MODEL_TIMEOUT_SECONDS = 60
        yield running


@pytest.fixture
def keeper(start_keeper, settings):
    started = start_keeper()
    settings.STOP_POLL_SECONDS = 0.05
    started._look_now.set()
    return started


@pytest.fixture
def pool():
    """Of two connections, in the process of the test."""
    wrapper = connections["default"]
    age = wrapper.settings_dict["CONN_MAX_AGE"]
    database.share_connections(min_size=0, max_size=2, timeout=LONG_SECONDS)
    yield lambda: wrapper.pool
    connection.close()
    wrapper.close_pool()
    del wrapper.settings_dict["OPTIONS"]["pool"]
    wrapper.settings_dict["CONN_MAX_AGE"] = age


def work_in_threads(tasks):
    results = {}

    def work(task):
        results[task.pk] = run(task_id=task.pk, worker=WORKER)

    return results, [in_background(lambda task=task: work(task)) for task in tasks]


def join(threads):
    for thread in threads:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()


def test_calls_wait_without_a_connection(project, server, pool):
    server.then(*[hang()] * MANY)
    tasks = [side_task(project) for _ in range(MANY)]
    connection.close()

    results, threads = work_in_threads(tasks)
    eventually(lambda: len(server.requests) == MANY)

    stats = pool().get_stats()
    assert stats["pool_available"] == stats["pool_size"] <= 2
    server.stopping.set()
    join(threads)
    assert len(results) == MANY


def test_all_calls_run_on_one_loop_with_one_client(project, server):
    loops = set()

    async def note():
        loops.add(asyncio.get_running_loop())

    threads = [in_background(lambda: run_on_loop(note())) for _ in range(3)]
    join(threads)

    assert len(loops) == 1


def test_a_client_is_made_once():
    made = []

    class Client:
        async def __aenter__(self):
            made.append(self)
            return self

        async def __aexit__(self, *error):
            pass

    async def use():
        return await shared_client("test_a_client_is_made_once", Client)

    assert run_on_loop(use()) is run_on_loop(use()) is made[0]
    assert len(made) == 1


def test_work_beyond_its_time_is_ended_and_tried_again(project, server, keeper, settings):
    server.then(hang())
    task, other = side_task(project), side_task(project)
    results, threads = work_in_threads([task])
    eventually(lambda: server.requests)

    settings.CELERY_TASK_SOFT_TIME_LIMIT = 0.1
    join(threads)

    assert results == {task.pk: True}
    assert fresh(task).status == "pending"
    attempt = TaskAttempt.objects.get()
    assert (attempt.outcome, attempt.error_code) == ("transient_error", "time_limit")
    settings.CELERY_TASK_SOFT_TIME_LIMIT = 1740
    assert run(task_id=other.pk, worker=WORKER) is True


def test_work_that_cannot_be_ended_loses_its_lease(project, keeper, settings):
    settings.TASK_HEARTBEAT_SECONDS = 0.05
    settings.CELERY_TASK_SOFT_TIME_LIMIT = 0.1
    settings.CELERY_TASK_TIME_LIMIT = 0.2
    task = side_task(project)

    with hold_lease(claim(task)) as cancellation:
        eventually(lambda: cancellation.is_requested)
        eventually(lambda: cancellation.age > 0.4)
        last = fresh(task).lease_expires_at
        threading.Event().wait(0.5)

        assert fresh(task).lease_expires_at == last
        with pytest.raises(TimeLimitReached):
            cancellation.raise_if_requested()


def test_one_of_many_is_cancelled_and_the_others_go_on(project, server, keeper, owner):
    server.then(*[hang()] * 3)
    tasks = [side_task(project) for _ in range(3)]
    results, threads = work_in_threads(tasks)
    eventually(lambda: len(server.requests) == 3)

    cancel_task(actor=Actor.of_user(owner), task_id=tasks[1].pk)
    join([threads[1]])

    assert results == {tasks[1].pk: False}
    assert [fresh(task).status for task in tasks] == ["working", "cancelled", "working"]
    server.stopping.set()
    join(threads)


def test_a_stop_of_one_project_ends_the_calls_of_no_other(make_project, server, keeper, owner):
    server.then(hang(), hang())
    one, other = make_project(), make_project()
    tasks = [side_task(one), side_task(other)]
    _, threads = work_in_threads(tasks)
    eventually(lambda: len(server.requests) == 2)

    standing = stop(owner, project_id=one.pk)
    join([threads[0]])

    eventually(lambda: fresh(standing).seconds_to_last_acknowledgement is not None)
    assert [fresh(task).status for task in tasks] == ["pending", "working"]
    release(owner, project_id=one.pk)
    server.stopping.set()
    join(threads)


def test_a_worker_that_stops_ends_all_calls_and_hands_back_in_one_go(
    make_project, server, keeper, django_assert_max_num_queries
):
    server.then(*[hang()] * MANY)
    one, other = make_project(), make_project()
    tasks = [side_task(project) for project in (one, other) for _ in range(MANY // 2)]
    results, threads = work_in_threads(tasks)
    eventually(lambda: len(server.requests) == MANY)

    cancel_all_work()
    join(threads)
    with django_assert_max_num_queries(40):
        count = hand_back(worker_prefix=WORKER)

    assert set(results.values()) == {False}
    assert count == MANY
    assert {(fresh(t).status, fresh(t).attempt, fresh(t).crashes) for t in tasks} == {
        ("pending", 0, 0)
    }
    assert {attempt.outcome for attempt in TaskAttempt.objects.all()} == {"handed_back"}
    assert event_data(tasks[0], "task_retried") == [{"step": "", "cause": "worker_stopped"}]


def test_work_that_begins_while_the_worker_stops_ends_at_once(project, keeper, server):
    cancel_all_work()
    task = first_task(project)

    assert run(task_id=task.pk, worker=WORKER) is False

    assert server.requests == []
    assert hand_back(worker_prefix=WORKER) == 1


def test_only_so_many_programs_run_at_once(monkeypatch):
    monkeypatch.setattr(sandbox_run, "_places", threading.BoundedSemaphore(1))
    running, most = [], []

    def program():
        with sandbox_run.a_place():
            running.append(True)
            most.append(len(running))
            threading.Event().wait(0.05)
            running.pop()

    join([in_background(program) for _ in range(3)])

    assert most == [1, 1, 1]


def test_who_waits_for_a_place_can_be_cancelled(project, monkeypatch):
    monkeypatch.setattr(sandbox_run, "_places", threading.BoundedSemaphore(1))
    cancellation = Cancellation(claim(side_task(project)), lambda claim: None)
    errors = []

    def program():
        with as_current(cancellation):
            try:
                sandbox.run_program(
                    {"main.py": ""},
                    command=("python", "main.py"),
                    timeout_seconds=5,
                    memory_megabytes=64,
                )
            except LeaseLost as error:
                errors.append(error)

    with sandbox_run.a_place():
        thread = in_background(program)
        cancellation.request(LeaseLost)
        join([thread])

    assert len(errors) == 1


def test_a_call_that_never_ends_is_ended_on_the_shared_loop(project, keeper, owner):
    task = side_task(project)

    with pytest.raises(LeaseLost):
        work_on(
            claim(task),
            lambda: cancel_task(actor=Actor.of_user(owner), task_id=task.pk),
        )
