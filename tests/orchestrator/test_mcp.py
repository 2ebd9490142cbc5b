"""Agents ask over the Model Context Protocol: the official client, and the product's server."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import httpx
import pytest
from httpx2 import AsyncClient
from mcp import Client
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult, Request, Result
from pydantic import ConfigDict

from audit.models import Event
from hitl.agent_actions.serializers import ActionInput
from hitl.models import AgentAction
from orchestrator.mcp.tools import TOOLS
from tests.scenes import release, stop

pytestmark = pytest.mark.django_db(transaction=True)

ARGUMENTS = {"order": "1234", "amount": 12.5}
ASK = {
    "tool": {"name": "refund", "server": "payments"},
    "arguments": ARGUMENTS,
    "agent": {"name": "support"},
    "effect": "refund:1234",
    "idempotency_key": "k1",
}


class Mcp:
    """A client for each call, as if each reached another process."""

    def __init__(self, url, token, mode="auto"):
        self.url, self.token, self.mode = f"{url}/mcp/", token, mode

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def call(self, name, **arguments):
        return asyncio.run(self._within(lambda client: client.call_tool(name, arguments)))

    def tools(self):
        return asyncio.run(self._within(lambda client: client.list_tools())).tools

    def within(self, use, **options):
        return asyncio.run(self._within(use, **options))

    async def _within(self, use, **options):
        async with AsyncClient(headers=self.headers, timeout=60) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=self.mode, **options) as client:
                try:
                    return await use(client)
                except MCPError as error:
                    # Out of here it would be in a group of errors.
                    return error

    def post(self, body, **headers):
        accept = {"Accept": "application/json, text/event-stream"}
        kind = {"Content-Type": "application/json"}
        return httpx.post(self.url, content=body, headers=self.headers | accept | kind | headers)


@pytest.fixture
def home(make_project):
    return make_project(workflow="none", auto_start=True)


@pytest.fixture
def token(home, owner, client_of):
    body = {"name": "support", "scopes": ["ask", "read"]}
    return client_of(owner).post(f"/api/v1/projects/{home.pk}/credentials/", body).json()["token"]


@pytest.fixture
def mcp(web_server, token):
    return Mcp(web_server.url, token)


def decide(api, action, decision="approve", **data):
    path = f"/api/v1/hitl/requests/{action['request']}/"
    digest = api.get(path).json()["subject_digest"]
    body = {"action": decision, "subject_digest": digest} | data
    answer = api.post(f"{path}decisions/", body)
    assert answer.status_code == 201, answer.json()


def asked(mcp, **changes):
    answer = mcp.call("request_approval", **ASK | changes)
    assert not answer.is_error, answer.content
    return answer.structured_content


def outcome(result):
    return result.meta["paraph/outcome"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_is_asked_waited_for_granted_once_and_reported(
    web_server, token, approver, client_of, mode
):
    mcp = Mcp(web_server.url, token, mode)
    pending = mcp.call("request_approval", **ASK)
    action = pending.structured_content
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(mcp.call, "wait_for_approval", action_id=action["action_id"])
        decide(client_of(approver), action)
        granted = waiting.result(30)
    grant = granted.structured_content
    again = mcp.call("wait_for_approval", action_id=action["action_id"], wait_seconds=0)
    report = {"action_id": action["action_id"], "fence": grant["fence"], "status": "succeeded"}
    done = mcp.call("report_outcome", **report, result={"refund": "r-9"})

    assert (outcome(pending), action["may_run"]) == ("pending-not-executed", False)
    assert (outcome(granted), grant["may_run"]) == ("approved-not-executed", True)
    assert (grant["arguments"], grant["action_digest"]) == (ARGUMENTS, action["action_digest"])
    assert {"grant", "lease_expires_at"} <= grant.keys()
    assert (outcome(again), again.structured_content["may_run"]) == ("outcome-unknown", False)
    assert (outcome(done), done.structured_content["result"]) == (
        "approved-executed",
        {"refund": "r-9"},
    )
    assert "EXECUTED" in done.content[0].text
    assert json.loads(done.content[1].text) == done.structured_content


def test_the_same_key_is_the_same_question_and_a_retry_attaches_to_it(mcp):
    action = asked(mcp)
    same = asked(mcp)
    retried = mcp.call("wait_for_approval", action_id=action["action_id"], wait_seconds=0)
    other = mcp.call("request_approval", **ASK | {"arguments": {"order": "9"}})

    assert same == action
    assert (outcome(retried), retried.is_error) == ("pending-not-executed", False)
    assert retried.structured_content["status"] == "pending"
    assert other.structured_content["code"] == "idempotency_key_reused"
    assert AgentAction.objects.count() == 1


def test_a_no_is_not_executed(mcp, approver, client_of):
    action = asked(mcp)
    decide(client_of(approver), action, "reject", comment="Ask the shop.")
    denied = mcp.call("wait_for_approval", action_id=action["action_id"])

    assert outcome(denied) == "denied-not-executed"
    assert denied.structured_content["decision"]["comment"] == "Ask the shop."
    assert "Do not make the call" in denied.content[0].text


def test_changed_arguments_are_handed_out_and_named(mcp, approver, owner, client_of, home):
    policy = {"prevent_self_approval": False}
    client_of(owner).patch(f"/api/v1/projects/{home.pk}/policy/", policy)
    action = asked(mcp)
    decide(client_of(approver), action, "amend", content=ARGUMENTS | {"amount": 10})
    wait = {"action_id": action["action_id"], "claim_key": "c1"}
    granted = mcp.call("wait_for_approval", **wait, action_digest=action["action_digest"])
    repeated = mcp.call("wait_for_approval", **wait)

    grant = granted.structured_content
    assert grant["arguments"] == ARGUMENTS | {"amount": 10}
    assert grant["arguments_changed"]
    assert grant["action_digest"] != action["action_digest"]
    assert "CHANGED" in granted.content[0].text
    assert repeated.structured_content["fence"] == grant["fence"]


def test_a_stop_refuses_the_permission(mcp, approver, owner, client_of, home):
    action = asked(mcp)
    decide(client_of(approver), action)
    stop(owner, project_id=home.pk)
    stopped = mcp.call("wait_for_approval", action_id=action["action_id"])
    release(owner, project_id=home.pk)
    granted = mcp.call("wait_for_approval", action_id=action["action_id"])

    assert (outcome(stopped), stopped.is_error) == ("denied-not-executed", True)
    assert stopped.structured_content["refusal"]["code"] == "stopped"
    assert granted.structured_content["may_run"]


def test_bad_input_names_its_field(mcp):
    def fields(name, **arguments):
        answer = mcp.call(name, **arguments)
        assert answer.is_error
        return {error["field"] for error in answer.structured_content["errors"]}

    assert fields("request_approval", tool={"name": "x"}, agent={"name": "a"}, arguments={}) == {
        "idempotency_key"
    }
    assert fields("request_approval", **ASK | {"tool": {"nam": "x"}, "allowed": ["maybe"]}) == {
        *("tool.nam", "tool.name", "allowed.0")
    }
    assert fields("request_approval", **ASK | {"decision": "approve"}) == {"decision"}
    assert fields("request_approval", **ASK | {"idempotency_key": "\u00fc"}) == {"idempotency_key"}
    assert fields("wait_for_approval", action_id="../../projects", wait_seconds=51) == {
        *("action_id", "wait_seconds")
    }
    assert fields("list_artifacts", artifact_type="picture") == {"artifact_type"}


def test_artifacts_are_read_by_the_rules_of_the_project(mcp, owner, client_of, home, make_project):
    api = client_of(owner)
    own = {"artifact_type": "user_input", "title": "Notes", "content": {"text": "Refund rules"}}
    mine = api.post("/api/v1/artifacts/", own | {"project": str(home.pk)}).json()
    other_project = {"project": str(make_project(name="Other").pk)}
    foreign = api.post("/api/v1/artifacts/", own | other_project).json()

    listed = mcp.call("list_artifacts", q="rules").structured_content
    read = mcp.call("read_artifact", artifact_id=mine["id"])
    version = mcp.call("read_artifact", artifact_id=mine["id"], version=1)
    refused = mcp.call("read_artifact", artifact_id=foreign["id"])

    assert [artifact["id"] for artifact in listed["results"]] == [mine["id"]]
    assert read.structured_content["content"] == version.structured_content["content"]
    assert (refused.is_error, refused.structured_content["code"]) == (True, "not_found")


def test_what_a_credential_may_not_do(mcp, web_server, owner, client_of, home):
    assert "never decides" in mcp.call("approve", request="1").message
    refusals = Event.objects.filter(project=home.pk, event_type="credential_refused")
    assert refusals.get().data["operation"] == "MCP tool approve"

    body = {"name": "reader", "scopes": ["read"]}
    made = client_of(owner).post(f"/api/v1/projects/{home.pk}/credentials/", body).json()
    reader = Mcp(web_server.url, made["token"])
    assert {tool.name for tool in reader.tools()} == {"list_artifacts", "read_artifact"}
    assert reader.call("request_approval", **ASK).structured_content["code"] == "scope_missing"
    client_of(owner).delete(f"/api/v1/projects/{home.pk}/credentials/{made['id']}/")
    answer = reader.post("{}")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert mcp.post("{}", Authorization="Token x").status_code == 401
    assert mcp.post("{}", Origin="https://elsewhere.example").status_code == 403
    answer = httpx.get(mcp.url, headers=mcp.headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('{"a": 1, "a": 2}', "repeated_name"),
        ('{"a": 9007199254740993}', "number_not_exact"),
        ('{"a": NaN}', "number_not_exact"),
        ('{"a": "\\u0000"}', "text_not_storable"),
        ("{", "malformed_json"),
    ],
)
def test_what_is_not_exact_is_refused_as_a_whole(mcp, arguments, code):
    call = f'{{"name": "request_approval", "arguments": {{"arguments": {arguments}}}}}'
    body = f'{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {call}}}'
    answer = mcp.post(body)

    assert answer.status_code == 400
    assert answer.json()["error"]["data"]["code"] == code


class Extra(Result):
    """Whatever the extension has answered."""

    model_config = ConfigDict(extra="allow")


class AboutTask(Request[dict, str]):
    name_param = "taskId"


class Started(Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class Tasks(ClientExtension):
    """A client that knows tasks, and takes over what becomes of them."""

    identifier = "io.modelcontextprotocol/tasks"

    def claims(self):
        return [ResultClaim(result_type="task", model=Started, resolve=None)]


def test_a_client_that_knows_tasks_is_told_that_people_work(
    mcp, approver, owner, client_of, home, web_server
):
    action = asked(mcp)
    wait = {"action_id": action["action_id"]}
    tasks = {"extensions": [Tasks()]}

    def start(client):
        return client.session.call_tool("wait_for_approval", wait, allow_claimed=True)

    started = mcp.within(start, **tasks)

    def about(who, method="tasks/get", task_id=started.task_id):
        message = AboutTask(method=method, params={"taskId": task_id})
        return who.within(lambda c: c.session.send_request(message, Extra), **tasks)

    first = about(mcp)
    assert (started.status, getattr(first, "status", first)) == ("working", "working")
    path = f"/api/v1/projects/{home.pk}/credentials/"
    other = client_of(owner).post(path, {"name": "other", "scopes": ["ask"]}).json()
    strange = [
        about(Mcp(web_server.url, other["token"])),
        about(mcp, task_id=started.task_id[:-4] + "AAAA"),
    ]
    assert [str(refusal) for refusal in strange] == ["There is no such task."] * 2

    decide(client_of(approver), action)
    done, again = about(mcp), about(mcp)
    assert done.status == "completed"
    assert done.result["structuredContent"]["may_run"] is True
    assert done.result["structuredContent"]["arguments"] == ARGUMENTS
    assert done.result == again.result, "a lost answer is repeated, and nothing is granted twice"
    assert AgentAction.objects.get().fence == 1
    assert mcp.call("wait_for_approval", **wait).structured_content["may_run"] is False

    second = asked(mcp, idempotency_key="k2", effect="refund:1235")
    wait = {"action_id": second["action_id"]}
    started = mcp.within(start, **tasks)
    about(mcp, "tasks/cancel", started.task_id)
    assert about(mcp, task_id=started.task_id).status == "cancelled"


def test_the_tools_take_what_the_api_takes():
    fields = set(TOOLS["request_approval"].description.input_schema["properties"])
    assert fields == {*ActionInput().fields, "idempotency_key"}


def test_a_client_that_opens_addresses_is_sent_to_the_card(mcp, web_server, owner, client_of, home):
    opened = []

    async def open_address(context, params):
        opened.append(params.url)
        return ElicitResult(action="accept")

    def call(client, **options):
        session = client.session
        return session.call_tool("request_approval", ASK, allow_input_required=True, **options)

    can_open = {"elicitation_callback": open_address}
    answer = mcp.within(lambda client: client.call_tool("request_approval", ASK), **can_open)
    action = answer.structured_content
    assert opened == [action["review"]]
    assert outcome(answer) == "pending-not-executed"

    first = mcp.within(call, **can_open)
    carried = {"request_state": first.request_state}
    other = {"name": "other", "scopes": ["ask"]}
    path = f"/api/v1/projects/{home.pk}/credentials/"
    stranger = Mcp(web_server.url, client_of(owner).post(path, other).json()["token"])
    forged = {"request_state": first.request_state[:-4] + "AAAA"}
    refusals = [
        stranger.within(lambda client: call(client, **carried), **can_open),
        mcp.within(lambda client: call(client, **forged), **can_open),
    ]
    used = mcp.within(lambda client: call(client, **carried), **can_open)
    refusals.append(mcp.within(lambda client: call(client, **carried), **can_open))
    assert used.structured_content["action_id"] == action["action_id"]
    assert [str(refusal) for refusal in refusals] == ["Invalid or expired requestState"] * 3
