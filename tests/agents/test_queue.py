"""What a job does at once, and what goes into the queue. The queue is a real one."""

from contextlib import closing
from uuid import uuid4

import pytest
from redis import Redis

from agents import queue as agents_queue
from orchestrator.celery import app


@pytest.fixture
def queue(settings, monkeypatch):
    """How many jobs wait in the queue of the agents."""
    # A message that another test lost is none of ours.
    monkeypatch.setattr(agents_queue, "_silent_until", 0.0)
    redis = Redis.from_url(settings.REDIS_URL)
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    redis.delete(f"{prefix}agents")
    yield lambda: redis.llen(f"{prefix}agents")
    redis.delete(f"{prefix}agents")


def test_outside_of_a_job_a_message_goes_into_the_queue(queue):
    agents_queue.enqueue_task(uuid4())

    assert queue() == 1


def test_a_job_takes_the_next_task_along(queue):
    first, second = uuid4(), uuid4()
    worked = []
    for task in agents_queue.inline_chain(first):
        worked.append(task)
        if task == first:
            agents_queue.enqueue_task(second)

    assert worked == [first, second]
    assert queue() == 0


def test_of_two_tasks_one_is_taken_along_and_the_other_is_queued(queue):
    first, second, third = uuid4(), uuid4(), uuid4()
    worked = []
    for task in agents_queue.inline_chain(first):
        worked.append(task)
        if task == first:
            agents_queue.enqueue_task(second)
            agents_queue.enqueue_task(third)

    assert worked == [first, second]
    assert queue() == 1


def test_a_job_that_fails_puts_what_it_would_have_taken_into_the_queue(queue):
    def work() -> None:
        with closing(agents_queue.inline_chain(uuid4())) as tasks:
            for _ in tasks:
                agents_queue.enqueue_task(uuid4())
                raise ConnectionError

    with pytest.raises(ConnectionError):
        work()

    assert queue() == 1
    agents_queue.enqueue_task(uuid4())
    assert queue() == 2


def test_after_a_while_a_job_takes_nothing_more_along(queue, monkeypatch):
    monkeypatch.setattr(agents_queue, "INLINE_CHAIN_SECONDS", 0.0)
    worked = []
    for task in agents_queue.inline_chain(uuid4()):
        worked.append(task)
        agents_queue.enqueue_task(uuid4())

    assert len(worked) == 1
    assert queue() == 1


def test_a_job_gives_way_after_its_turn_where_others_wait(queue, monkeypatch):
    monkeypatch.setattr(agents_queue, "INLINE_CHAIN_TURN_SECONDS", -1.0)
    monkeypatch.setattr(agents_queue, "_waiting_until", 0.0)
    agents_queue.enqueue_task(uuid4())
    worked = []
    for task in agents_queue.inline_chain(uuid4()):
        worked.append(task)
        agents_queue.enqueue_task(uuid4())

    assert len(worked) == 1
    assert queue() == 2


def test_a_job_goes_on_after_its_turn_where_nobody_waits(queue, monkeypatch):
    monkeypatch.setattr(agents_queue, "INLINE_CHAIN_TURN_SECONDS", -1.0)
    monkeypatch.setattr(agents_queue, "_waiting_until", 0.0)
    first, second = uuid4(), uuid4()
    worked = []
    for task in agents_queue.inline_chain(first):
        worked.append(task)
        if task == first:
            agents_queue.enqueue_task(second)

    assert worked == [first, second]


def test_the_queue_is_the_one_that_workers_read():
    assert app.conf.task_routes["agents.tasks.*"]["queue"] == "agents"
