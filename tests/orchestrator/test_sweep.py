from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from redis import Redis

from agents.models import Task, TaskAttempt
from agents.protocols import TransientError
from agents.queue import LOST_SECONDS
from agents.services import claim_task, fail_attempt
from audit.actors import Actor
from audit.models import Event
from orchestrator.engine.sweep import sweep
from projects.models import Project
from projects.services import pause_project
from tests.scenes import advance, current, open_steps, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]

HOUR = timedelta(hours=1)


@pytest.fixture
def redis():
    with closing(Redis.from_url(settings.REDIS_URL)) as client:
        yield client
        client.delete(queue("engine"), queue("agents"))


def queue(name: str) -> str:
    return settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"] + name


@pytest.fixture
def enqueued(redis):
    """How many messages wait in a queue."""
    return lambda name: redis.llen(queue(name))


@pytest.fixture
def lost(project, redis):
    """A run whose messages are lost, long ago."""
    started(project)
    Task.objects.update(enqueued_at=Now() - HOUR)
    redis.delete(queue("engine"), queue("agents"))
    return project


def twice_at_once() -> list[dict[str, int]]:
    together = Barrier(2)

    def one(_: int) -> dict[str, int]:
        try:
            together.wait(10)
            return sweep()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


def total(found: list[dict[str, int]], kind: str) -> int:
    return sum(one[kind] for one in found)


def test_a_lost_message_of_a_task_is_enqueued_again(lost, enqueued):
    assert sweep()["tasks_enqueued"] == 2
    assert enqueued("agents") == 2
    assert sweep()["tasks_enqueued"] == 0


def test_a_lost_message_of_a_project_is_enqueued_again(lost, enqueued):
    Project.objects.update(attention_since=Now() - HOUR)

    assert sweep()["projects_enqueued"] == 1
    assert enqueued("engine") == 1
    assert sweep()["projects_enqueued"] == 0


@pytest.mark.parametrize(("jobs", "enqueued_again"), [(0, 2), (1, 0)])
def test_a_message_is_lost_sooner_where_the_queue_is_empty(lost, redis, jobs, enqueued_again):
    Task.objects.update(enqueued_at=Now() - timedelta(seconds=LOST_SECONDS + 1))
    for _ in range(jobs):
        redis.lpush(queue("agents"), "{}")

    assert sweep()["tasks_enqueued"] == enqueued_again


def test_a_project_that_was_looked_at_is_not_enqueued(lost, enqueued):
    advance(lost)

    assert sweep()["projects_enqueued"] == 0
    assert enqueued("engine") == 0


def test_a_paused_project_is_not_worked_on(lost, enqueued, owner):
    pause_project(project_id=lost.pk, actor=Actor.of_user(owner))

    assert sweep()["tasks_enqueued"] == 0
    assert enqueued("agents") == 0


def test_a_lost_lease_is_taken_back_and_enqueued(lost, enqueued):
    task = current(lost, "left")
    claim_task(task_id=task.pk, worker="t:1:1")
    Task.objects.filter(pk=task.pk).update(lease_expires_at=Now() - HOUR)

    assert sweep()["tasks_taken_back"] == 1
    assert open_steps(lost) == {"left", "right"}
    assert enqueued("agents") == 2


def test_a_retry_becomes_due(lost, enqueued):
    task = current(lost, "left")
    claim = claim_task(task_id=task.pk, worker="t:1:1")
    fail_attempt(claim=claim, error=TransientError("http_503", "Busy.", retry_after=600))
    Task.objects.exclude(pk=task.pk).update(enqueued_at=Now())
    early = sweep()["tasks_enqueued"]
    Task.objects.filter(pk=task.pk).update(run_after=Now())

    assert (early, sweep()["tasks_enqueued"]) == (0, 1)
    assert enqueued("agents") == 1


def test_two_sweeps_at_once_enqueue_once(lost, enqueued):
    Project.objects.update(attention_since=Now() - HOUR)

    found = twice_at_once()

    assert (total(found, "tasks_enqueued"), total(found, "projects_enqueued")) == (2, 1)
    assert (enqueued("agents"), enqueued("engine")) == (2, 1)


def test_two_sweeps_at_once_take_back_once(lost):
    for step in ("left", "right"):
        claim_task(task_id=current(lost, step).pk, worker="t:1:1")
    Task.objects.update(lease_expires_at=Now() - HOUR)

    found = twice_at_once()

    assert total(found, "tasks_taken_back") == 2
    assert set(Task.objects.values_list("fence", "crashes")) == {(2, 1)}
    assert list(TaskAttempt.objects.values_list("outcome", flat=True)) == ["crashed"] * 2
    assert Event.objects.filter(event_type="task_retried").count() == 2
