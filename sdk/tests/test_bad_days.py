"""Lost answers, servers that are away, and words that are not known."""

import asyncio
import json

import httpx
import pytest

import paraph
from paraph.flow import Backoff

CONNECTION = paraph.Connection("http://paraph.test", "paraph_agent_x", "p1", "support", 2.0)
ACTION = {
    "id": "a1",
    "project": "p1",
    "status": "pending",
    "tool": {"name": "refund"},
    "arguments": {"order": "1"},
    "agent": {"name": "support"},
    "subject": None,
    "effect": "",
    "decision": None,
    "answer": None,
    "result": None,
    "links": {"review": "http://paraph.test/r1"},
}
ACTION["action_digest"] = paraph.action_digest(
    project="p1",
    agent="support",
    subject=None,
    tool={"name": "refund"},
    arguments={"order": "1"},
)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(Backoff, "wait", lambda self, at_least=0.0: 0.01)


class Script:
    """Answers one after another; an exception is a connection that breaks."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        return httpx.Response(status, json=body, headers={"ETag": f'"{len(self.requests)}"'})


def client_of(script):
    return paraph.Client(connection=CONNECTION, transport=httpx.MockTransport(script))


def test_a_lost_answer_is_asked_for_again_with_the_same_key():
    script = Script(httpx.ReadError("lost"), (503, {}), (202, ACTION))
    client_of(script).ask("refund", {"order": "1"})
    keys = {request.headers["Idempotency-Key"] for request in script.requests}
    assert (len(script.requests), len(keys)) == (3, 1)


def test_a_server_that_stays_away_is_named(monkeypatch):
    connection = paraph.Connection("http://paraph.test", "t", "p1", "support", patience=0.05)
    transport = httpx.MockTransport(Script(httpx.ConnectError("refused")))
    client = paraph.Client(connection=connection, transport=transport)
    with pytest.raises(paraph.Unavailable, match="refused"):
        client.ask("refund", {"order": "1"})


def test_a_refusal_is_not_repeated():
    problem = {"code": "invalid", "errors": [{"field": "tool.name", "detail": "Too long."}]}
    script = Script((400, problem))
    with pytest.raises(paraph.ApiError, match=r"tool\.name: Too long") as refused:
        client_of(script).ask("refund", {"order": "1"})
    assert (refused.value.code, len(script.requests)) == ("invalid", 1)


def test_a_status_that_is_not_known_is_no_approval():
    ran = []
    client = client_of(Script((201, ACTION | {"status": "blessed"})))

    @paraph.gate(effect="refund:{order}", client=client)
    def refund(order: str) -> None:
        ran.append(order)

    with pytest.raises(paraph.NotApproved) as refused:
        refund("1")
    assert not isinstance(refused.value, paraph.NotExecuted)
    assert ran == []
    assert not client.ask("refund", {"order": "1"}).wait().is_approved


def test_arguments_that_were_altered_on_the_way_do_not_run():
    ran = []
    claimed = {
        "fence": 1,
        "arguments": {"order": "2"},
        "grant": None,
        "lease_expires_at": "2030-01-01T00:00:00Z",
    }
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, claimed),
        (200, ACTION | {"status": "not_executed"}),
    )

    @paraph.gate(client=client_of(script))
    def refund(order: str) -> None:
        ran.append(order)

    with pytest.raises(paraph.NotExecuted, match="not those that were approved"):
        refund("1")
    assert ran == []
    assert b'"not_executed"' in script.requests[-1].content


def test_a_lost_report_is_repeated_and_the_call_is_not():
    ran = []
    claimed = {
        "fence": 1,
        "arguments": {"order": "1"},
        "grant": None,
        "lease_expires_at": "2030-01-01T00:00:00Z",
    }
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, claimed),
        httpx.ReadError("lost"),
        (500, {}),
        (200, ACTION | {"status": "succeeded"}),
    )

    @paraph.gate(client=client_of(script))
    def refund(order: str) -> str:
        ran.append(order)
        return "done"

    assert refund("1") == "done"
    assert ran == ["1"]
    assert [request.url.path[-9:] for request in script.requests[2:]] == ["/outcome/"] * 3


def test_an_async_call_that_is_cancelled_is_reported_as_unknown():
    claimed = {
        "fence": 1,
        "arguments": {"order": "1"},
        "grant": None,
        "lease_expires_at": "2030-01-01T00:00:00Z",
    }
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, claimed),
        (200, ACTION | {"status": "unknown"}),
    )

    async def go():
        transport = httpx.MockTransport(script)
        client = paraph.AsyncClient(connection=CONNECTION, transport=transport)
        began = asyncio.Event()

        @paraph.gate(client=client)
        async def refund(order: str) -> None:
            began.set()
            await asyncio.sleep(60)

        task = asyncio.create_task(refund("1"))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert b'"unknown"' in script.requests[-1].content


CLAIMED = {
    "fence": 1,
    "arguments": {"order": "1"},
    "grant": None,
    "lease_expires_at": "2030-01-01T00:00:00Z",
}


def reports(script):
    """What was reported of outcomes."""
    sent = [r for r in script.requests if r.url.path.endswith("/outcome/")]
    return [json.loads(request.content) for request in sent]


def test_a_result_that_is_not_taken_does_not_hide_that_it_happened():
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, CLAIMED),
        (413, {"code": "too_large"}),
        (200, ACTION | {"status": "succeeded"}),
    )

    @paraph.gate(client=client_of(script))
    def refund(order: str) -> str:
        return "a very long text"

    assert refund("1") == "a very long text"
    assert [report["status"] for report in reports(script)] == ["succeeded"] * 2
    assert reports(script)[1]["result"] == {"paraph.result_not_kept": "str"}


def test_an_error_of_any_text_is_reported():
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, CLAIMED),
        (200, ACTION | {"status": "not_executed"}),
    )

    @paraph.gate(client=client_of(script))
    def refund(order: str) -> None:
        raise paraph.NotExecuted("no such file: \udcff\0")

    with pytest.raises(paraph.NotExecuted):
        refund("1")
    assert reports(script)[0]["error"] == "no such file: \\udcff"


def test_a_generator_is_not_gated():
    def refund(order: str):
        yield order

    async def refund_all(order: str):
        yield order

    for function in (refund, refund_all):
        with pytest.raises(TypeError, match="generator"):
            paraph.gate()(function)


def test_what_has_not_run_yet_is_no_success():
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, CLAIMED),
        (200, ACTION | {"status": "unknown"}),
    )

    @paraph.gate(client=client_of(script))
    def refund(order: str):
        return (part for part in order)

    with pytest.raises(TypeError, match="not run yet"):
        refund("1")
    assert [report["status"] for report in reports(script)] == ["unknown"]


def test_a_no_to_a_call_inside_says_nothing_of_the_one_around_it():
    denied = client_of(Script((201, ACTION | {"status": "denied"})))
    script = Script(
        (201, ACTION | {"status": "approved"}),
        (200, CLAIMED),
        (200, ACTION | {"status": "unknown"}),
    )
    sent = []

    @paraph.gate(client=denied)
    def tell(order: str) -> None:
        raise AssertionError("nobody has approved it")

    @paraph.gate(client=client_of(script))
    def refund(order: str) -> None:
        sent.append(order)
        tell(order)

    with pytest.raises(paraph.OutcomeUnknown):
        refund("1")
    assert sent == ["1"]
    assert [report["status"] for report in reports(script)] == ["unknown"]


def test_a_connection_comes_from_the_environment_or_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PARAPH_CONFIG", str(tmp_path / "none.json"))
    for name in ("URL", "TOKEN", "PROJECT", "AGENT"):
        monkeypatch.delenv(f"PARAPH_{name}", raising=False)
    with pytest.raises(paraph.ParaphError, match="PARAPH_URL"):
        paraph.Client()
    monkeypatch.setenv("PARAPH_URL", "http://paraph.test/")
    monkeypatch.setenv("PARAPH_TOKEN", "paraph_agent_1")
    client = paraph.Client()
    assert client.connection.headers["Authorization"] == "Bearer paraph_agent_1"
    with pytest.raises(paraph.ParaphError, match="PARAPH_PROJECT"):
        client.ask("refund", {})
