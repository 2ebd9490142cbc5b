import pytest

from agents.models import TaskAttempt
from context.models import ArtifactVersion
from tests.fixtures import BRIEF
from tests.openai_server import OpenAIServer, refusal
from tests.scenes import approve_all, hand_in

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]


def test_a_project_runs_to_its_end_on_a_model_provider(owner, start_worker):
    with OpenAIServer() as provider:
        provider.then(refusal(503))
        # Each process loads the provider's library anew; one is enough here.
        start_worker(
            processes=1,
            MODEL_DEFAULT="openai-chat:test",
            OPENAI_BASE_URL=provider.base_url,
            OPENAI_API_KEY="not-a-real-key",
        )
        project = hand_in(owner, BRIEF)

        assert approve_all(project, owner) == "completed"

    made = ArtifactVersion.objects.filter(artifact__project=project).exclude(source_agent="")
    written = made.exclude(source_agent="tester")
    tests = made.get(source_agent="tester")
    assert set(written.values_list("provider", "model")) == {("openai-chat", "test")}
    assert (tests.content["exit_code"], tests.content["counts"]["run"]) == (0, 1)
    attempts = TaskAttempt.objects.filter(task__project=project).order_by("id")
    assert attempts[0].outcome == "transient_error"
    assert attempts[1].input_tokens == 100
    assert provider.headers[0]["authorization"] == "Bearer not-a-real-key"
