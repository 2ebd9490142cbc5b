"""What a model writes and calls, on the project's page while it does; kept nowhere."""

import threading

import pytest
from playwright.sync_api import expect

from agents.worker.run import run
from audit.stream.publisher import is_watched
from tests.agents.test_tools import BUILD, DELIVERED
from tests.live import eventually
from tests.openai_server import OpenAIServer, call
from tests.scenes import WORKER, current, fresh, in_background, started


@pytest.fixture
def model(settings):
    with OpenAIServer() as running:
        settings.AGENT_MODELS = settings.AGENT_MODELS | {"coder": "openai-chat:test-model"}
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", running.base_url
        yield running


def test_what_a_model_writes_and_calls_shows_while_it_works(project, owner, person, model):
    task = current(started(project, BUILD), "build")
    one, seen = person(owner), threading.Event()

    def turn(server, request):
        """A frame may be lost, so it writes until one was seen."""
        if seen.wait(0.5):
            return call("deliver_source_code", DELIVERED)(server, request)
        server.then(turn)
        return call("write", {"path": "adding.py", "content": "<b>\u202e"})(server, request)

    one.opens(f"/admin/projects/project/{project.pk}/change/")
    assert eventually(lambda: is_watched(project.pk))
    model.then(turn)
    work = in_background(lambda: run(task_id=task.pk, worker=WORKER))
    try:
        expect(one.page.locator("#doing")).to_contain_text("The coder is writing source code")
        expect(one.page.locator("#writing")).to_contain_text("adding.py")
        expect(one.page.locator("[data-live=tools] summary").first).to_contain_text("write")
        expect(one.page.get_by_text("· live")).to_be_visible()
        one.shoots("writing")
    finally:
        seen.set()
        work.join()
    assert fresh(task).status == "completed"
    expect(one.page.locator("#writing")).to_be_hidden()
    expect(one.page.locator("#doing")).to_be_empty()
