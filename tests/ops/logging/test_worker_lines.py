"""From the request over HTTP to the line that a worker process writes because of it."""

import json
import uuid

import pytest

from orchestrator.celery import app
from tests.fixtures import BRIEF
from tests.live import eventually
from tests.ops.logging.lines import entries_of
from tests.ops.logging.test_access import Asked

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def attempts(worker):
    return [one for one in entries_of(worker.output()) if one["message"] == "attempt ended"]


def is_ready(worker):
    return any(one["message"].endswith(" ready.") for one in entries_of(worker.output()))


def test_what_a_worker_says_bears_the_id_of_the_request_it_works_for(server, owner, start_worker):
    worker = start_worker(processes=2, LOG_FORMAT="json")
    eventually(lambda: is_ready(worker))
    bodies = [{"name": f"Library {one}", "brief": BRIEF} for one in range(3)]
    asked = [Asked(server, "POST", "/api/v1/projects/", owner, body) for body in bodies]
    ids = {json.loads(one.body)["id"]: one.id for one in asked}

    eventually(lambda: {one["project"] for one in attempts(worker)} >= set(ids))

    for attempt in attempts(worker):
        assert attempt["request_id"] == ids[attempt["project"]]
        assert attempt["agent_type"] == "orchestrator"
        assert (attempt["attempt"], attempt["outcome"]) == (1, "completed")
        assert {"task", "job", "job_id", "channel", "duration_ms"} <= set(attempt)
    lines = worker.output().splitlines()
    said = [line for line in lines[lines.index(first_json(lines)) :] if line]
    assert len(entries_of("\n".join(said))) == len(said)


def first_json(lines):
    """Before it comes Celery's banner."""
    return next(line for line in lines if line.startswith("{"))


def test_a_message_from_a_process_without_ids_is_worked_on(owner, project, start_worker):
    name = "orchestrator.tasks.advance"
    worker = start_worker(processes=1, LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    eventually(lambda: is_ready(worker))

    app.send_task(name, ["no-uuid"], headers={"request_id": "bad id"}, task_id=str(uuid.uuid4()))

    failed = eventually(
        lambda: [one for one in entries_of(worker.output()) if "no-uuid" in json.dumps(one)]
    )
    assert "request_id" not in failed[0]
    assert failed[0]["job"] == name
