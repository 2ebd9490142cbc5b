"""What the broker does to us, and what we make of it."""

import socket
import time
from uuid import uuid4

import pytest
from kombu.exceptions import OperationalError

from agents import queue
from orchestrator.celery import RECONNECT_SECONDS, app
from orchestrator.tasks import advance


class Enough(Exception):
    pass


@pytest.fixture
def deaf_redis():
    """Takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def no_silence(monkeypatch):
    monkeypatch.setattr(queue, "_silent_until", 0.0)


class Job:
    """A job whose broker is another one."""

    name = "job"

    def __init__(self, url: str) -> None:
        self.url, self.tries = url, 0

    def delay(self, id: str) -> None:
        self.tries += 1
        with app.connection_for_write(self.url) as connection:
            advance.apply_async((id,), connection=connection)


def test_after_an_outage_a_worker_looks_for_the_broker_every_second():
    waits = []

    def note(error, interval):
        waits.append(interval)
        if len(waits) == 3:
            raise Enough

    with pytest.raises(Enough), app.connection_for_read("redis://127.0.0.1:1/0") as connection:
        connection.ensure_connection(note, None)

    assert waits == [RECONNECT_SECONDS] * 3


def test_a_broker_that_does_not_answer_holds_up_one_ring_and_not_the_next(deaf_redis, no_silence):
    job, began = Job(deaf_redis), time.monotonic()
    heard = [queue.put_into_queue(job, uuid4()) for _ in range(50)]

    assert time.monotonic() - began < queue.SILENT_SECONDS
    assert not any(heard)
    assert job.tries == 1


def test_after_a_while_the_bell_is_tried_again(monkeypatch, deaf_redis, no_silence):
    monkeypatch.setattr(queue, "SILENT_SECONDS", 0.0)
    job = Job(deaf_redis)
    for _ in range(2):
        queue.put_into_queue(job, uuid4())

    assert job.tries == 2


def test_what_is_no_fault_of_the_broker_is_not_hidden(no_silence):
    class Broken(Job):
        def delay(self, id: str) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        queue.put_into_queue(Broken(""), uuid4())


def test_a_lost_ring_is_an_error_of_the_broker(deaf_redis):
    with pytest.raises((OperationalError, OSError)):
        Job(deaf_redis).delay(str(uuid4()))
