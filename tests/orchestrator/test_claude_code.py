"""HTTP hooks of Claude Code: people are asked before a tool is used; what is wrong is a no."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hitl.models import AgentAction

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {
    "hook_event_name": "PreToolUse",
    "session_id": "s1",
    "tool_use_id": "u1",
    "tool_name": "Bash",
    "tool_input": {"command": "rm -r build"},
    "cwd": "/home/user",
}


@pytest.fixture
def home(make_project):
    return make_project(workflow="none", auto_start=True)


@pytest.fixture
def hook(web_server, home, owner, client_of):
    path = f"/api/v1/projects/{home.pk}/credentials/"
    made = client_of(owner).post(path, {"name": "laptop", "scopes": ["ask"]}).json()

    def post(wait=0, token=made["token"], content=None, **changes):
        url = f"{web_server.url}/hooks/claude-code/?wait={wait}"
        headers = {"Authorization": f"Bearer {token}"}
        body = {"content": content} if content is not None else {"json": CALL | changes}
        answer = httpx.post(url, headers=headers, timeout=60, **body)
        assert answer.status_code == 200
        return answer.json().get("hookSpecificOutput", {})

    post.url = web_server.url
    return post


def decide(api, decision="approve", **data):
    action = AgentAction.objects.latest("created_at")
    request = action.requests.get(status="pending")
    body = {"action": decision, "subject_digest": request.subject_digest} | data
    answer = api.post(f"/api/v1/hitl/requests/{request.pk}/decisions/", body)
    assert answer.status_code == 201, answer.json()


def test_a_use_is_asked_about_allowed_once_and_reported(hook, approver, client_of):
    pending = hook()
    with ThreadPoolExecutor() as pool:
        # The model tries again: the same question, though another use.
        waiting = pool.submit(hook, 50, tool_use_id="u2")
        decide(client_of(approver))
        allowed = waiting.result(30)
    action = AgentAction.objects.get()
    status = action.status
    hook(hook_event_name="PostToolUse", tool_use_id="u2")
    action.refresh_from_db()

    assert pending["permissionDecision"] == "deny"
    assert "Nobody has decided yet" in pending["permissionDecisionReason"]
    assert (allowed["permissionDecision"], allowed["updatedInput"]) == ("allow", CALL["tool_input"])
    assert (action.agent["name"], status, action.status) == ("laptop", "executing", "succeeded")
    assert hook(tool_use_id="u3")["permissionDecision"] == "deny", "another use is another question"


def test_a_no_is_told_and_a_tool_that_failed_is_unknown(hook, approver, client_of):
    hook()
    decide(client_of(approver), "reject", comment="Leave it.")
    assert "Leave it." in hook()["permissionDecisionReason"]

    hook(tool_use_id="u2")
    decide(client_of(approver))
    assert hook(tool_use_id="u2")["permissionDecision"] == "allow"
    hook(hook_event_name="PostToolUseFailure", tool_use_id="u2", error="timeout")
    assert AgentAction.objects.latest("created_at").status == "unknown"


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "paraph_agent_none"},
        {"content": "no JSON"},
        {"content": "[]"},
        {"content": '{"hook_event_name": "PreToolUse"}'},
        {"content": '{"hook_event_name": "PreToolUse", "tool_input": {"a": 1, "a": 2}}'},
        {"tool_input": "text"},
        {"tool_name": 7},
        {"tool_input": {"content": "x" * 300_000}},
    ],
)
def test_whatever_is_wrong_is_a_no(hook, wrong):
    assert hook(**wrong)["permissionDecision"] == "deny"
    assert not AgentAction.objects.exists()


def test_it_is_no_page(hook):
    assert httpx.get(f"{hook.url}/hooks/claude-code/").status_code == 405
