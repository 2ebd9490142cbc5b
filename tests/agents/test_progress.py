"""What a running agent shows to those who listen, over a real server."""

import threading

import jsonschema
import pytest

from agents.providers import wrappers
from agents.providers.demo import DemoModel
from agents.worker.run import run
from audit.stream.asyncapi import server_schemas
from audit.stream.notifier import publish_ephemeral
from tests.live import hear, hear_until
from tests.scenes import WORKER, first_task, in_background

LONG_SECONDS = 60
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]


class PatientModel(DemoModel):
    """The edge to a provider, which answers each time that it is let."""

    may_answer = threading.Semaphore(0)

    def produce(self, assignment, **wanted):
        assert self.may_answer.acquire(timeout=LONG_SECONDS)
        return super().produce(assignment, **wanted)


@pytest.fixture
def let_answer(settings):
    settings.MODEL_PROVIDERS = {"patient": "tests.agents.test_progress.PatientModel"}
    settings.AGENT_MODELS = {"orchestrator": "patient"}
    PatientModel.may_answer = threading.Semaphore(0)
    return PatientModel.may_answer.release


@pytest.fixture
def let_show(monkeypatch):
    """One at a time: what comes while the one before is still on its way is dropped."""
    turn = threading.Semaphore(0)

    def publish(project_id, content):
        assert turn.acquire(timeout=LONG_SECONDS)
        publish_ephemeral(project_id, content)

    monkeypatch.setattr(wrappers, "publish_ephemeral", publish)
    return turn.release


def test_listeners_see_what_an_agent_writes_while_it_writes(
    web_server, project, viewer, let_answer, let_show
):
    task = first_task(project)
    task.handoff = task.handoff | {"expected_outputs": ["agent_output", "project_plan"]}
    task.assignment_sha256 = task.assignment_digest
    task.save()
    with web_server.follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        work = in_background(lambda: run(task_id=task.pk, worker=WORKER))
        while (frame := hear(socket)).get("event", {}).get("event_type") != "task_started":
            pass
        while is_behind(frame):
            frame = hear(socket)

        let_answer()

        shown = []
        for _ in range(3):
            let_show()
            shown.append(hear_until(socket, "ephemeral")[-1]["content"])
        # Not before: what is shown in passing is dropped for who has not heard of the end yet.
        let_answer()
        work.join()
    for content in shown:
        frame = {"type": "ephemeral", "id": "a", "content": content}
        jsonschema.validate(frame, server_schemas()["ephemeral"])
    (partial,) = [content for content in shown if content["kind"] == "partial_output"]
    assert (partial["artifact_type"], partial["number"], partial["of"]) == ("agent_output", 1, 2)
    assert "A lending library" in partial["text"]
    assert (shown[-1]["kind"], shown[-1]["artifact_type"]) == ("progress", "project_plan")


def is_behind(frame):
    """The claim records two events at once: that the task started, and what its agent does."""
    return frame.get("event", {}).get("event_type") != "agent_status_changed"
