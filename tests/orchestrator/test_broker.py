"""What the broker does to us, and what we make of it."""

import gc
import socket
import time
from uuid import uuid4

import pytest
from kombu import Consumer, Producer, Queue

from agents import queue
from orchestrator.broker import RECONNECT_SECONDS, ForgetfulChannel
from orchestrator.celery import app, keep_what_is_loaded


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


@pytest.fixture
def sent(monkeypatch, deaf_redis):
    """The messages that went to a broker that does not answer."""
    messages, send = [], app.send_task

    def send_task(name, arguments, **options):
        messages.append((name, arguments))
        with app.connection_for_write(deaf_redis) as connection:
            send(name, arguments, connection=connection)

    monkeypatch.setattr(app, "send_task", send_task)
    return messages


def test_after_an_outage_a_worker_looks_for_the_broker_every_second():
    waits = []

    def note(error, interval):
        waits.append(interval)
        if len(waits) == 3:
            raise Enough

    with pytest.raises(Enough), app.connection_for_read("redis://127.0.0.1:1/0") as connection:
        connection.ensure_connection(note, None)

    assert waits == [RECONNECT_SECONDS] * 3


def test_messages_are_sent_through_the_same_channels():
    connection = app.producer_pool.connections.new()

    assert connection.get_transport_cls().Channel is ForgetfulChannel


@pytest.mark.parametrize(
    ("job", "is_noted"), [(queue.RUN_TASK, False), (queue.MAKE_DOCUMENT, True)]
)
def test_what_is_taken_is_put_back_at_the_end_and_tasks_are_not_noted_meanwhile(job, is_noted):
    name, taken = f"test-{uuid4().hex}", []
    with app.connection_for_read() as connection:
        channel = connection.channel()
        messages = Consumer(channel, [Queue(name)], on_message=taken.append)
        for number in range(2):
            Producer(channel).publish([number], routing_key=name, headers={"task": job})
        with messages:
            while len(taken) < 2:
                connection.drain_events(timeout=10)
            taken[0].ack()
            noted = channel.client.hget(channel.unacked_key, taken[1].delivery_tag)
            assert (noted is not None) == is_noted

        channel.close()

        with connection.channel() as after:
            put_back = Consumer(after, [Queue(name)], on_message=taken.append)
            with put_back:
                connection.drain_events(timeout=10)
            assert taken[2].payload == taken[1].payload
            taken[2].ack()
            assert after.client.hget(after.unacked_key, taken[2].delivery_tag) is None
            assert after.client.llen(name) == 0


def test_a_broker_that_does_not_answer_holds_up_one_message_and_not_the_next(
    monkeypatch, sent, no_silence
):
    monkeypatch.setattr(queue, "SILENT_SECONDS", 60.0)
    began = time.monotonic()
    are_sent = [queue.enqueue(queue.RUN_TASK, uuid4()) for _ in range(50)]

    assert time.monotonic() - began < queue.SILENT_SECONDS
    assert not any(are_sent)
    assert len(sent) == 1


def test_after_a_while_the_broker_is_tried_again(monkeypatch, sent, no_silence):
    monkeypatch.setattr(queue, "SILENT_SECONDS", 0.0)
    for _ in range(2):
        queue.enqueue(queue.RUN_TASK, uuid4())

    assert len(sent) == 2


def test_what_is_no_fault_of_the_broker_is_not_hidden(monkeypatch, no_silence):
    def fail(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr(app, "send_task", fail)
    with pytest.raises(ZeroDivisionError):
        queue.enqueue(queue.RUN_TASK, uuid4())


def test_a_worker_that_has_begun_does_not_look_for_garbage_in_what_it_has_loaded():
    kept = gc.get_freeze_count()
    loaded = [[] for _ in range(1_000)]

    keep_what_is_loaded()

    assert gc.get_freeze_count() >= kept + len(loaded)
