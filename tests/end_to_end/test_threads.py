"""A real worker that works on many tasks at once, and a provider that does not answer."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.db import transaction

from agents.models import Task, TaskAttempt, WorkerProcess
from agents.tasks import run_task
from ops.devserver.data_dir import open_data_dir
from ops.devserver.valkey import Valkey
from orchestrator.celery import app
from projects.models import Project
from tests.live import BUSY_SECONDS, eventually
from tests.openai_server import OpenAIServer, hang
from tests.scenes import fresh, side_task, stop

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]

THREADS = 64
MANY = 40
PROJECTS = 4
STOP_SECONDS = 5 + BUSY_SECONDS


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def start(start_worker, server):
    """A worker with threads, whose model is the server."""

    def start_with(**environment):
        model = {"MODEL_DEFAULT": "openai-chat:test-model", "OPENAI_API_KEY": "sk-test"}
        model |= {"OPENAI_BASE_URL": server.base_url, "LEASE_SECONDS": "600"}
        worker = start_worker(threads=THREADS, **model | environment)
        eventually(worker.is_ready)
        eventually(lambda: WorkerProcess.objects.filter(concurrency=THREADS).exists())
        return worker

    return start_with


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """A server of this test's own, which runs."""
    with tempfile.TemporaryDirectory(prefix="paraph-tests-") as home:
        Path(home).chmod(0o711)
        folder = open_data_dir(Path(home) / "data", system_dir=Path(home))
        server = Valkey(folder, is_durable=False)
        server.start_and_wait()
        yield server
        server.stop()
        folder.close()


def outcomes() -> set[tuple[str, str]]:
    return set(TaskAttempt.objects.values_list("outcome", "error_code"))


def many_tasks(make_project) -> list[Task]:
    projects = [make_project() for _ in range(PROJECTS)]
    return [side_task(projects[number % PROJECTS]) for number in range(MANY)]


def ring(tasks: list[Task], redis_url: str) -> None:
    """In a Redis of the test's own, where nobody else rings."""
    with app.connection_for_write(redis_url) as connection:
        for task in tasks:
            run_task.apply_async([str(task.pk)], connection=connection)


def hanging_calls(make_project, server, redis_url: str = "") -> list[Task]:
    server.then(*[hang()] * MANY)
    tasks = many_tasks(make_project)
    if redis_url:
        ring(tasks, redis_url)
    eventually(lambda: len(server.requests) == MANY)
    return tasks


def connections_to(server: OpenAIServer, worker) -> int:
    port = int(server.base_url.rpartition(":")[2].split("/")[0])
    connections = psutil.Process(worker.process.pid).net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.port == port for one in connections)


def test_many_calls_wait_at_once_and_sigterm_closes_and_hands_back_all(make_project, start, server):
    worker = start()
    tasks = hanging_calls(make_project, server)
    assert Task.objects.filter(status="working").count() == MANY
    assert psutil.Process(worker.process.pid).num_threads() > MANY

    worker.process.terminate()
    began = time.monotonic()
    eventually(lambda: connections_to(server, worker) == 0, STOP_SECONDS)
    worker.process.wait(STOP_SECONDS)

    assert time.monotonic() - began < STOP_SECONDS
    assert worker.process.returncode == 0
    assert {(fresh(t).status, fresh(t).attempt, fresh(t).crashes) for t in tasks} == {
        ("pending", 0, 0)
    }, outcomes()
    assert outcomes() == {("handed_back", "")}
    assert not WorkerProcess.objects.filter(kind="process").exists()


def test_another_worker_goes_on_with_what_was_handed_back(make_project, start, server):
    first = start()
    tasks = hanging_calls(make_project, server)
    start()

    first.process.terminate()

    ids = [task.pk for task in tasks]
    done = Task.objects.filter(pk__in=ids, status="waiting_for_hitl")
    eventually(lambda: done.count() + Task.objects.filter(status="completed").count() == MANY)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGQUIT])
def test_a_second_signal_ends_a_worker_that_cannot_hand_back(make_project, start, server, second):
    worker = start()
    hanging_calls(make_project, server)

    with transaction.atomic():
        list(Project.objects.select_for_update())
        worker.process.terminate()
        time.sleep(0.5)
        assert worker.process.poll() is None
        worker.process.send_signal(second)
        assert worker.process.wait(STOP_SECONDS) != 0


def test_a_stop_is_acknowledged_when_all_calls_have_ended(make_project, start, server, staff):
    start()
    hanging_calls(make_project, server)

    standing = stop(staff)

    took = eventually(lambda: fresh(standing).seconds_to_last_acknowledgement)
    assert took < STOP_SECONDS
    eventually(lambda: not Task.objects.filter(status="working").exists())


def test_after_an_outage_of_redis_calls_have_gone_on_and_new_work_is_taken(
    make_project, start, server, redis
):
    worker = start(REDIS_URL=redis.url)
    tasks = hanging_calls(make_project, server, redis.url)

    redis.stop()
    eventually(lambda: "onnection to broker lost" in worker.output())
    time.sleep(2)
    assert Task.objects.filter(status="working").count() == MANY
    redis.start_and_wait()
    other = [side_task(make_project()) for _ in range(THREADS - MANY)]
    ring(other, redis.url)
    eventually(lambda: fresh(other[0]).status not in ("pending", "working"))

    server.stopping.set()
    late = [side_task(make_project()) for _ in range(5)]
    ring(late, redis.url)
    for task in [*other, *late]:
        eventually(lambda task=task: fresh(task).status not in ("pending", "working"))
    assert {fresh(task).attempt for task in tasks} <= {1, 2}, outcomes()
    assert "crashed" not in {outcome for outcome, _ in outcomes()}
