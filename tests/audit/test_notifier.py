import os
import time
import uuid

import pytest
import redis
from channels.layers import get_channel_layer
from django.conf import settings

from audit.stream import notifier
from audit.stream.notifier import StreamNotifier, group_of
from audit.stream.publisher import TIMEOUT_SECONDS, channel_of, is_watched
from tests.live import eventually, write
from tests.probes import silent_port

__all__ = ["silent_port"]

LONG_SECONDS = 40


@pytest.fixture
def stream_notifier() -> StreamNotifier:
    return StreamNotifier()


@pytest.fixture
def server() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def test_a_thread_keeps_its_connection(stream_notifier, monkeypatch):
    project_id = str(uuid.uuid4())
    stream_notifier.notify(project_id, "epoch", 1)
    assert stream_notifier.flush(LONG_SECONDS)

    made, connect = [], redis.Connection._connect
    monkeypatch.setattr(redis.Connection, "_connect", lambda it: made.append(it) or connect(it))
    for head in range(2, 52):
        stream_notifier.notify(project_id, "epoch", head)
        assert stream_notifier.flush(LONG_SECONDS)

    assert stream_notifier.failed == 0
    # Other threads of this process may make one, too; one a hint would be 50.
    assert len(made) < 10


def test_whether_somebody_follows_a_project_is_known(server):
    project_id = uuid.uuid4()
    assert not is_watched(project_id)
    with server.pubsub() as listening:
        listening.subscribe(channel_of(group_of(project_id)))

        assert eventually(lambda: is_watched(project_id))


async def test_the_newest_head_arrives_whatever_the_order(stream_notifier):
    project_id, layer = str(uuid.uuid4()), get_channel_layer()
    channel = await layer.new_channel("test.")
    await layer.group_add(group_of(project_id), channel)

    for head in (1, 9, 4):
        stream_notifier.notify(project_id, "epoch", head)
    assert stream_notifier.flush(LONG_SECONDS)

    heads = [(await layer.receive(channel))["head"]]
    while heads[-1] != 9:
        heads.append((await layer.receive(channel))["head"])
    assert heads == sorted(heads)
    await layer.flush()


def test_without_redis_a_writer_does_not_wait(settings, silent_port):
    settings.CHANNEL_LAYERS = layer_at(f"redis://127.0.0.1:{silent_port}/0")
    stream_notifier = StreamNotifier()

    started = time.perf_counter()
    for head in range(1, 101):
        stream_notifier.notify("project", "epoch", head)
    took = time.perf_counter() - started

    assert took < 10 * TIMEOUT_SECONDS


def test_without_redis_hints_are_kept_and_counted(settings):
    settings.CHANNEL_LAYERS = layer_at("redis://127.0.0.1:1/0")
    stream_notifier = StreamNotifier()

    stream_notifier.notify("project", "epoch", 1)

    eventually(lambda: stream_notifier.failed >= 1, LONG_SECONDS)
    assert not stream_notifier.flush(0.2)
    assert stream_notifier.sent == 0


def test_hints_that_could_not_be_sent_go_out_later(settings):
    working = settings.CHANNEL_LAYERS
    settings.CHANNEL_LAYERS = layer_at("redis://127.0.0.1:1/0")
    stream_notifier = StreamNotifier()
    stream_notifier.notify("project", "epoch", 1)
    assert not stream_notifier.flush(0.2)

    settings.CHANNEL_LAYERS = working

    assert stream_notifier.flush(LONG_SECONDS)
    assert stream_notifier.sent == 1


@pytest.mark.django_db(transaction=True)
def test_a_forked_process_has_a_thread_of_its_own():
    write(uuid.uuid4())
    parent = notifier._notifier()

    child = os.fork()
    if child == 0:
        notifier.publish_hint(uuid.uuid4(), "epoch", 1)
        is_fine = notifier._notifier() is not parent and notifier._notifier().flush(LONG_SECONDS)
        os._exit(0 if is_fine else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def layer_at(url: str) -> dict:
    return {
        "default": settings.CHANNEL_LAYERS["default"]
        | {"CONFIG": {"hosts": [{"address": url, "socket_connect_timeout": 1}]}}
    }
