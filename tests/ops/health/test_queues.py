"""A queue that stands is seen, whoever its workers say they are."""

import json
import time

import pytest
from redis import Redis

from core.ids import new_id
from ops.health.check import Status
from ops.health.checks.queues import age_seconds, check_queues
from orchestrator.celery import app

PREFIX = app.conf.broker_transport_options["global_keyprefix"]


@pytest.fixture
def redis(settings):
    with Redis.from_url(settings.REDIS_URL) as client:
        client.delete(*(f"{PREFIX}{queue}" for queue in ("engine", "agents", "sweep")))
        yield client
        client.delete(*(f"{PREFIX}{queue}" for queue in ("engine", "agents", "sweep")))


def let_wait(redis, queue, seconds):
    """The oldest message of this queue was sent so long ago."""
    message = json.loads(redis.lindex(f"{PREFIX}{queue}", -1))
    message["headers"]["sent_at"] -= seconds
    redis.lset(f"{PREFIX}{queue}", -1, json.dumps(message))


def test_the_oldest_message_of_each_queue_tells_how_long_nobody_came(redis):
    app.send_task("orchestrator.tasks.advance", [str(new_id())], queue="engine")
    app.send_task("orchestrator.tasks.advance", [str(new_id())], queue="engine")
    assert check_queues().status == Status.HEALTHY

    let_wait(redis, "engine", 40)
    finding = check_queues()

    assert finding.status == Status.DEGRADED
    assert "engine for 4" in finding.message
    ages = finding.facts["oldest_message_seconds"]
    assert ages["engine"] >= 40
    assert (ages["agents"], ages["sweep"]) == (0, 0)


def test_the_scheduler_puts_sweeps_into_a_queue_of_their_own(redis):
    app.send_task("orchestrator.tasks.sweep")

    assert redis.llen(f"{PREFIX}sweep") == 1


@pytest.mark.parametrize(
    "message",
    [None, b"{}", json.dumps({"headers": {"sent_at": time.time() + 9e6}}).encode()],
    ids=["none", "without a date", "of a fast clock"],
)
def test_a_message_without_a_date_or_of_a_fast_clock_has_no_age(message):
    assert age_seconds(message) == 0
