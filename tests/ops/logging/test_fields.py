"""Fields go where the work goes, and nowhere else."""

import asyncio
import threading
import uuid

import pytest
from celery import shared_task
from celery.app.trace import build_tracer
from kombu.transport.virtual import Channel

from agents import queue
from agents.queue import ADVANCE, enqueue
from agents.worker.run import run
from audit.stream.hub import Hub
from core.log_fields import (
    context_of_its_own,
    current_log_fields,
    line_of_a_request,
    log_fields,
    note,
    note_project,
)
from ops.logging import celery_logging
from orchestrator.celery import app
from orchestrator.tasks import sweep
from orchestrator.views import ProgressView
from tests.ops.logging.lines import written
from tests.probes import closed_port
from tests.scenes import claim, let_lease_run_out, pending_task, running, side_task

__all__ = ["closed_port"]
pytestmark = pytest.mark.django_db

seen: list[dict] = []


@shared_task
def look(fail=False):
    seen.append(dict(current_log_fields()))
    if fail:
        raise ValueError("as asked")


@pytest.fixture
def sent(monkeypatch):
    """The headers of what is put into the queue, whatever went wrong in the test before."""
    monkeypatch.setattr(queue, "_silent_until", 0.0)
    found = []
    monkeypatch.setattr(
        Channel,
        "basic_publish",
        lambda self, message, *rest, **more: found.append(message["headers"]),
    )
    return found


def worked(headers, **arguments):
    """What a job knows that a worker makes of a message with these headers."""
    request = {"id": "job-1", "task": look.name} | (headers or {})
    build_tracer(look.name, look, app=app)("job-1", (), arguments, request)
    return seen.pop()


def test_fields_end_with_their_block_also_when_it_fails():
    with log_fields(request_id="one"):
        with pytest.raises(ValueError, match="as asked"), log_fields(project="p"):
            look(fail=True)
        assert seen.pop() == {"request_id": "one", "project": "p"}
        assert current_log_fields() == {"request_id": "one"}
    assert current_log_fields() == {}


def test_a_message_carries_the_id_of_the_request_and_nothing_else(sent):
    with log_fields(request_id="r-1", project="p"):
        assert enqueue(ADVANCE, uuid.uuid4())
    assert enqueue(ADVANCE, uuid.uuid4())

    assert [headers.get("request_id") for headers in sent] == ["r-1", None]
    assert "project" not in sent[0]


def test_a_job_bears_the_id_of_its_request_and_its_own():
    assert worked({"request_id": "r-1"}) == {
        "job": look.name,
        "job_id": "job-1",
        "request_id": "r-1",
    }


@pytest.mark.parametrize("headers", [None, {}, {"request_id": None}, {"other": "x"}])
def test_a_message_of_an_older_process_has_no_id_and_is_worked_on(headers):
    assert "request_id" not in worked(headers)


@pytest.mark.parametrize("forged", ["", "a b", "x" * 65, "a\nb", 7, ["r"], {"a": 1}])
def test_an_id_that_is_not_plain_is_not_taken_over(forged):
    assert "request_id" not in worked({"request_id": forged})


@pytest.mark.parametrize("fail", [False, True])
def test_nothing_of_a_job_is_left_for_the_next(fail):
    assert worked({"request_id": "r-1"}, fail=fail)["request_id"] == "r-1"

    assert current_log_fields() == {}
    assert "request_id" not in worked(None)


def test_a_job_that_lost_its_end_leaves_nothing_to_the_next():
    with log_fields():
        look.push_request(headers=None, request_id="r-1")
        celery_logging.begin(task=look, task_id="1")
        assert current_log_fields()["request_id"] == "r-1"

        assert "request_id" not in worked(None)
        look.pop_request()


def test_requests_side_by_side_keep_their_fields_apart():
    async def one(request_id):
        with log_fields(request_id=request_id):
            for _ in range(5):
                await asyncio.sleep(0)
                assert current_log_fields()["request_id"] == request_id
                in_thread = await asyncio.to_thread(current_log_fields)
                assert in_thread["request_id"] == request_id

    async def many():
        await asyncio.gather(*(one(str(number)) for number in range(20)))

    asyncio.run(many())


def test_what_outlives_a_request_does_not_bear_its_id():
    async def start():
        with log_fields(request_id="first"), line_of_a_request() as facts:
            own = context_of_its_own(project="p")
            task = asyncio.create_task(look_later(), context=own)
        assert await task == {"project": "p"}
        assert facts == {}

    async def look_later():
        note(user=1)
        return dict(current_log_fields())

    asyncio.run(start())


def test_what_the_stream_does_for_all_bears_nobodys_id(settings, closed_port):
    hosts = [f"redis://127.0.0.1:{closed_port}/0"]
    layer = settings.CHANNEL_LAYERS["default"]
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": {"hosts": hosts}}}

    async def first_comes():
        with log_fields(request_id="first"):
            stream = Hub()
        async with asyncio.timeout(20):
            while "cannot listen for hints" not in lines.text:
                await asyncio.sleep(0.01)
        for task in stream._tasks:
            task.cancel()

    with written("json") as lines:
        asyncio.run(first_comes())

    said = [one for one in lines.entries() if one["message"] == "cannot listen for hints"]
    assert [one for one in said if "request_id" in one] == []


def test_a_request_that_breaks_is_told_of_with_its_project(project, owner, client_of, monkeypatch):
    monkeypatch.setattr(ProgressView, "get", lambda *arguments, **named: 1 // 0)
    monkeypatch.setattr(ProgressView, "queries", {"get": ("x",)})
    api = client_of(owner)
    api.raise_request_exception = False

    with written("json") as lines:
        path = f"/api/v1/projects/{project.pk}/progress/"
        answer = api.get(path, headers={"X-Request-ID": "r-1"}, data={"x": "a-ticket"})

    (entry,) = [one for one in lines.entries() if one["logger"] == "django.request"]
    assert (answer.status_code, entry["level"], entry["status_code"]) == (500, "ERROR", 500)
    assert (entry["request_id"], entry["project"]) == ("r-1", str(project.pk))
    assert (entry["user"], entry["channel"]) == (owner.pk, "rest")
    assert entry["route"] == "api/v1/projects/<uuid:project_id>/progress/"
    assert "ZeroDivisionError" in entry["exception"]
    assert "a-ticket" not in lines.text
    assert current_log_fields() == {}


def test_a_thread_begins_without_fields():
    with log_fields(request_id="r"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert seen.pop() == {}


def test_a_request_that_writes_to_one_project_is_that_ones():
    with line_of_a_request() as facts:
        note_project("a")
        note_project("a")
        assert facts["project"] == "a"
        note_project("b")
        note_project("b")
        assert facts["project"] is None
    note_project("nobody asks")


def test_the_end_of_an_attempt_says_what_it_was_about(project):
    task = pending_task(running(project))

    with written("json") as lines:
        run(task_id=task.pk, worker="test:1:1")

    (entry,) = [one for one in lines.entries() if one["message"] == "attempt ended"]
    assert entry.pop("duration_ms") > 0
    del entry["time"]
    assert entry == {
        "level": "INFO",
        "logger": "agents.worker.run",
        "message": "attempt ended",
        "task": str(task.pk),
        "project": str(project.pk),
        "agent_type": task.agent_type,
        "attempt": 1,
        "outcome": "completed",
    }
    assert current_log_fields() == {}


def test_an_agent_that_breaks_is_told_of_with_its_task_and_attempt(project, settings):
    settings.MODEL_PROVIDERS = {"broken": f"{__name__}.Broken"}
    settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_TYPES, "broken")
    task = side_task(running(project))

    with written("json") as lines:
        run(task_id=task.pk, worker="test:1:1")

    (entry,) = [one for one in lines.entries() if one["message"] == "agent failed"]
    assert (entry["task"], entry["project"]) == (str(task.pk), str(project.pk))
    assert (entry["attempt"], entry["agent_type"]) == (1, "analyst")
    assert "RuntimeError: no" in entry["exception"]


def test_a_sweep_says_what_it_has_repaired(project, monkeypatch):
    task = pending_task(running(project))
    claim(task)
    let_lease_run_out(task)
    monkeypatch.setattr("orchestrator.tasks._swept_at", 0.0)

    with written("json") as lines:
        sweep()

    (entry,) = [one for one in lines.entries() if one["message"] == "swept"]
    assert entry["repaired"]["tasks_taken_back"] == 1
    assert entry["channel"] == "sweep"


class Broken:
    def produce(self, *arguments, **wanted):
        raise RuntimeError("no")
