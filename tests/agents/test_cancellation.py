"""The check before each request to a real provider's API, over real HTTP against a local server."""

import pytest

from agents.models import TaskAttempt
from agents.worker.run import run
from tests.openai_server import OpenAIServer, call
from tests.scenes import WORKER, first_task, fresh, in_background, release, stop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]


@pytest.fixture
def server(settings):
    with OpenAIServer() as running:
        settings.AGENT_MODELS = {"orchestrator": "openai-chat:test-model"}
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", running.base_url
        settings.MODEL_TIMEOUT_SECONDS = 20
        yield running


def test_no_correction_is_asked_for_after_a_stop(project, staff, server):
    task = first_task(project)
    answer = call("deliver_agent_output", {"summary": 7})

    def answer_and_stop(running, request):
        in_background(lambda: stop(staff)).join()
        return answer(running, request)

    server.then(answer_and_stop)

    assert run(task_id=task.pk, worker=WORKER) is False

    assert len(server.requests) == 1
    assert (fresh(task).status, fresh(task).attempt) == ("pending", 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"


def test_after_the_release_the_provider_is_asked_again(project, staff, server):
    task = first_task(project)
    stop(staff)
    assert run(task_id=task.pk, worker=WORKER) is False
    assert server.requests == []

    release(staff)

    assert run(task_id=task.pk, worker=WORKER) is True
    assert len(server.requests) == 1
