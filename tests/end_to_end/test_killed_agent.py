"""An agent in the middle of its turns: its worker is killed, and another one goes on."""

import pytest

from agents.models import TaskAttempt, ToolUse
from context.models import ArtifactVersion
from tests.eight_turns import BUILD, FIXED, SERVERS, USES, eight_turns
from tests.live import eventually
from tests.scenes import current, decide_as, fresh, pending_request, set_policy, started

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]


# The others are killed in process: `test_tools`.
@pytest.mark.parametrize("speaks", ["anthropic"])
def test_a_killed_worker_loses_one_turn_and_a_person_says_no(
    project, approver, start_worker, speaks
):
    with SERVERS[speaks]() as server:
        environment = {
            "MODEL_CODER": "local:test-model",
            "MODEL_ENDPOINTS": "local",
            "ENDPOINT_LOCAL": speaks,
            "ENDPOINT_LOCAL_URL": server.base_url,
        }
        doomed = start_worker(processes=1, **environment)
        server.then(*eight_turns(lambda server, request: doomed.kill()))
        set_policy(project, ask_before_tools=["run_command"])

        task = current(started(project, BUILD), "build")
        eventually(lambda: len(server.requests) == 5)
        start_worker(processes=1, **environment)
        request = eventually(lambda: pending_request(project))
        decide_as(approver, request, "reject", comment="Not on my machine.")
        eventually(lambda: fresh(task).status == "completed")

        assert server.requests[5]["messages"] == server.requests[4]["messages"]
        assert "Not on my machine." in server.told(server.requests[8])
    attempts = TaskAttempt.objects.filter(task=task).order_by("fence")
    assert [a.outcome for a in attempts] == ["crashed", "needs_person", "completed"]
    uses = ToolUse.objects.filter(task=task)
    assert [(use.name, use.turn, use.outcome) for use in uses] == USES
    version = ArtifactVersion.objects.get(artifact__artifact_type="source_code")
    assert {file["path"]: file["content"] for file in version.content["files"]}[
        "adding.py"
    ] == FIXED
