"""Workers die, Redis is away: the work is done all the same, and once."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agents.models import Task, TaskAttempt
from audit.models import Event
from context.models import ArtifactVersion
from hitl.models import HitlRequest
from ops.devserver.data_dir import open_data_dir
from ops.devserver.valkey import Valkey
from projects.models import Project
from tests.end_to_end.quick_settings import TASK_LEASE_SECONDS
from tests.fixtures import BRIEF
from tests.live import BUSY_SECONDS, WebServer, eventually, token_of
from tests.scenes import hand_in, pending_request

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]

SWEEP_SECONDS = 1
SLACK_SECONDS = 3 + BUSY_SECONDS


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """A server of this test's own. It is not started."""
    # Not in pytest's folder: no other account may enter that, and root's servers have their own.
    with tempfile.TemporaryDirectory(prefix="paraph-tests-") as home:
        Path(home).chmod(0o711)
        folder = open_data_dir(Path(home) / "data", system_dir=Path(home))
        server = Valkey(folder, is_durable=False)
        yield server
        server.stop()
        folder.close()


def test_a_step_whose_worker_is_killed_is_finished_by_another_and_once(
    owner, start_worker, tmp_path
):
    stuck_at = tmp_path / "stuck"
    environment = {"MODEL_DEFAULT": "stuck", "STUCK_AT": str(stuck_at)}
    doomed = start_worker(processes=1, **environment)
    project = hand_in(owner, BRIEF)
    eventually(stuck_at.exists)
    other = start_worker(processes=1, **environment)
    eventually(other.is_ready)

    doomed.kill()
    killed_at = time.monotonic()
    request = eventually(lambda: pending_request(project))

    assert time.monotonic() - killed_at < TASK_LEASE_SECONDS + SWEEP_SECONDS + SLACK_SECONDS
    attempts = TaskAttempt.objects.order_by("fence")
    assert [(a.outcome, a.number) for a in attempts] == [("crashed", 1), ("completed", 2)]
    assert attempts[0].worker.split(":")[1] == str(doomed.process.pid)
    assert attempts[1].worker.split(":")[1] == str(other.process.pid)
    assert ArtifactVersion.objects.get(artifact__artifact_type="agent_output").attempt == 2
    assert HitlRequest.objects.get() == request
    assert Event.objects.filter(event_type="artifact_created").count() == 2


def test_a_worker_that_is_stopped_in_the_middle_gives_its_work_to_another(
    owner, start_worker, tmp_path
):
    stuck_at = tmp_path / "stuck"
    # Only handing back can be in time; a lease would be too late for the test.
    environment = {"MODEL_DEFAULT": "stuck", "STUCK_AT": str(stuck_at), "LEASE_SECONDS": "600"}
    first = start_worker(processes=1, **environment)
    project = hand_in(owner, BRIEF)
    eventually(stuck_at.exists)
    start_worker(processes=1, **environment)

    first.stop()
    eventually(lambda: pending_request(project))

    task = Task.objects.get()
    outcomes = TaskAttempt.objects.order_by("fence").values_list("outcome", flat=True)
    assert list(outcomes) == ["handed_back", "completed"]
    assert (task.attempt, task.crashes) == (1, 0)


def test_a_project_made_while_redis_is_away_runs_when_it_is_back(owner, start_worker, redis):
    web = WebServer(REDIS_URL=redis.url)
    try:
        answer = httpx.post(
            f"{web.url}/api/v1/projects/",
            json={"name": "Library", "brief": BRIEF},
            headers={"Authorization": f"Token {token_of(owner)}"},
            timeout=30,
        )
    finally:
        web.stop()
    project = Project.objects.get(pk=answer.json()["id"])
    assert (answer.status_code, project.status) == (201, "active")
    assert Task.objects.get().attempt == 0
    worker = start_worker(processes=1, REDIS_URL=redis.url)
    eventually(lambda: "Cannot connect" in worker.output())

    redis.start_and_wait()

    assert eventually(lambda: pending_request(project)).kind == "plan_approval"
    assert Task.objects.get().attempt == 1
