"""The MCP proxy in front of a server, and the server's tools on standard streams."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

import paraph
from paraph.canonical import canonical
from paraph.mcp.gated import Options
from paraph.mcp.proxy import Proxy

UPSTREAM = Path(__file__).with_name("mcp_upstream.py")
CHOSEN = ("refund", "boom", "die", "consult", "later")


class Host:
    """The client's side of the streams, and what the server behind the proxy has got."""

    def __init__(self, log):
        self.log = log
        self._lines, self._answers = asyncio.Queue(), asyncio.Queue()
        self.numbers = iter(range(1, 1000))

    async def lines(self):
        while line := await self._lines.get():
            yield line

    async def write(self, line):
        self._answers.put_nowait(json.loads(line))

    async def send(self, message):
        self._answers.put_nowait(json.loads(json.dumps(message)))

    def say(self, line):
        self._lines.put_nowait(line if isinstance(line, bytes) else json.dumps(line).encode())

    async def hears(self):
        return await asyncio.wait_for(self._answers.get(), 60)

    def begin(self, name, arguments, **params):
        params = {"name": name, "arguments": arguments} | params
        message = {"jsonrpc": "2.0", "id": next(self.numbers), "method": "tools/call"}
        self.say(message | {"params": params})
        return message["id"]

    async def call(self, name, arguments, **params):
        number = self.begin(name, arguments, **params)
        answer = await self.hears()
        assert answer["id"] == number
        return answer.get("result") or answer["error"]

    @property
    def got(self):
        return self.log.read_bytes().splitlines() if self.log.exists() else []


@pytest.fixture
def proxied(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    log = tmp_path / "calls"

    @asynccontextmanager
    async def proxied(hold=60.0, **options):
        host = Host(log)
        command = [sys.executable, str(UPSTREAM), str(log)]
        wrapped = Options(command, CHOSEN, "payments", hold=hold, **options)
        async with paraph.AsyncClient(connection=home.connection()) as client:
            running = asyncio.create_task(Proxy(wrapped, client, host).run())
            yield host
            host.say(b"")
            await asyncio.wait_for(running, 60)

    return proxied


def outcome(result):
    return result["_meta"]["paraph/outcome"], result["content"][0]["text"].partition(":")[0]


def test_the_server_gets_exactly_what_was_approved(proxied, home, meanwhile):
    asked, approved = {"order": "1", "amount": 20.0}, {"order": "1", "amount": 5, "note": "zürich"}

    async def run():
        async with proxied(effects={"refund": "refund:{order}"}) as host:
            host.say({"jsonrpc": "2.0", "id": 0, "method": "tools/list"})
            listed = (await host.hears())["result"]["tools"]
            looked = await host.call("look", {"a": 1})
            meanwhile(home.amend, approved)
            done = await host.call("refund", asked)
            again = await host.call("refund", asked)
            return listed, looked, done, again, host.got

    listed, looked, done, again, got = asyncio.run(run())

    assert "_meta" not in looked
    assert "People approve each call" in listed[1]["description"]
    assert "description" not in listed[0]
    assert outcome(done) == ("approved-executed", "EXECUTED")
    assert "A person has changed the arguments" in done["content"][0]["text"]
    assert done["structuredContent"] == {"did": "refund"}
    assert outcome(again) == ("denied-not-executed", "NOT EXECUTED"), "the effect exists"
    assert b'"arguments":' + canonical(approved) in got[1]
    assert len(got) == 2, "what was looked at, and one refund"
    (action,) = home.actions()
    assert (action["status"], action["tool"]["server"]) == ("succeeded", "payments")
    assert action["result"] == {"did": "refund"}


def test_a_retry_goes_on_waiting_also_after_a_restart(proxied, home):
    async def run():
        call = "refund", {"order": "1"}
        async with proxied(hold=0) as host:
            results = [await host.call(*call), await host.call(*call)]
        async with proxied(hold=0) as host:
            results.append(await host.call(*call))
            await asyncio.to_thread(home.decide, "reject", comment="Ask the shop.")
            results.append(await host.call(*call))
            return results, host.got

    results, got = asyncio.run(run())

    pending, denied = ("pending-not-executed", "PENDING"), "denied-not-executed"
    assert [outcome(result) for result in results[:3]] == [pending] * 3
    assert results[3]["_meta"]["paraph/outcome"] == denied
    assert "Ask the shop." in results[3]["content"][0]["text"]
    assert got == []
    assert len(home.actions()) == 1


def test_a_failure_is_told_and_a_server_that_dies_leaves_it_unknown(proxied, home, meanwhile):
    async def run():
        async with proxied() as host:
            meanwhile(home.decide)
            failed = await host.call("boom", {})
            meanwhile(home.decide)
            return failed, await host.call("die", {})

    failed, lost = asyncio.run(run())
    assert outcome(failed) == ("execution-error", "FAILED")
    assert outcome(lost) == ("outcome-unknown", "UNKNOWN")
    assert {action["status"] for action in home.actions()} == {"failed", "unknown"}


def test_a_task_of_the_servers_is_no_outcome(proxied, home, meanwhile):
    capabilities = "io.modelcontextprotocol/clientCapabilities"

    async def run():
        async with proxied() as host:
            meanwhile(home.decide)
            knows = {"extensions": {"io.modelcontextprotocol/tasks": {}, "other": {}}}
            return await host.call("later", {}, _meta={capabilities: knows}), json.loads(
                host.got[0]
            )

    begun, got = asyncio.run(run())
    assert outcome(begun) == ("outcome-unknown", "UNKNOWN")
    assert [action["status"] for action in home.actions()] == ["unknown"]
    # One that keeps to the protocol makes none.
    assert got["params"]["_meta"][capabilities] == {"extensions": {"other": {}}}


def test_what_could_mean_something_else_reaches_no_server(proxied, home):
    refund = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"refund"'
    lines = [
        b"[" + refund.encode() + b"}}]",
        refund.replace('"refund"', '"look","name":"refund"').encode() + b"}}",
        refund.replace('"tools/call"', '"ping","Method":"tools/call"').encode() + b"}}",
        refund.replace('"tools/call"', '"Tools/Call"').encode() + b"}}",
        refund.replace('"refund"', '"look","Name":"refund"').encode() + b"}}",
        refund.encode() + b',"task":{}}}',
        refund.encode() + b',"requestState":"guessed"}}',
        refund.encode() + b',"arguments":{"amount":NaN}}}',
        refund.encode() + b',"arguments":{"amount":9007199254740993}}}',
        refund.replace('"id":7,', "").encode() + b"}}",
    ]

    async def run():
        async with proxied(hold=0) as host:
            answers = []
            for line in lines:
                host.say(line)
                answers.append(await host.hears())
            odd = await host.call(" REFUND", {})
            return answers, odd, host.got

    answers, odd, got = asyncio.run(run())
    assert [sorted(answer) for answer in answers] == [["error", "id", "jsonrpc"]] * len(lines)
    assert outcome(odd) == ("pending-not-executed", "PENDING"), "another way of writing it"
    assert got == []
    assert len(home.actions()) == 1


def test_what_the_server_asks_in_between_belongs_to_the_same_claim(proxied, home, meanwhile):
    async def run():
        async with proxied() as host:
            meanwhile(home.decide)
            first = await host.call("consult", {"order": "1"})
            carried = {"requestState": first["requestState"], "inputResponses": {"size": "L"}}
            other = await host.call("consult", {"order": "2"}, **carried)
            done = await host.call("consult", {"order": "1"}, **carried)
            replayed = await host.call("consult", {"order": "1"}, **carried)
            return first, other, done, replayed, [json.loads(line) for line in host.got]

    first, other, done, replayed, got = asyncio.run(run())
    assert first["requestState"] != "of-the-server"
    assert other["message"] == replayed["message"] == "Invalid or expired requestState."
    assert outcome(done) == ("approved-executed", "EXECUTED")
    assert got[1]["params"]["requestState"] == "of-the-server"
    assert [action["status"] for action in home.actions()] == ["succeeded"]


def test_a_call_that_is_cancelled_leaves_its_question_open(proxied, home):
    async def run():
        async with proxied() as host:
            number = host.begin("refund", {"order": "1"})
            while not await asyncio.to_thread(home.pending):
                await asyncio.sleep(0.05)
            params = {"requestId": number}
            host.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            deciding = asyncio.to_thread(home.decide)
            done, _ = await asyncio.gather(host.call("refund", {"order": "1"}), deciding)
            return done, host.got

    done, got = asyncio.run(run())
    assert outcome(done) == ("approved-executed", "EXECUTED")
    assert len(got) == len(home.actions()) == 1


def test_official_clients_and_servers_meet_through_the_commands(home, tmp_path, meanwhile):
    server = tmp_path / "server.py"
    server.write_text(
        "from mcp.server import MCPServer\n"
        "server = MCPServer('shop')\n"
        "@server.tool()\n"
        "def refund(order: str) -> str:\n"
        "    return f'refunded {order}'\n"
        "server.run()\n"
    )
    environment = {
        "PARAPH_URL": home.url,
        "PARAPH_TOKEN": home.token,
        "PARAPH_PROJECT": home.id,
        "PARAPH_AGENT": "support",
        "XDG_STATE_HOME": str(tmp_path),
    }

    def command(*words):
        return stdio_client(
            StdioServerParameters(
                command=sys.executable, args=["-m", "paraph", *words], env=environment
            )
        )

    async def run():
        async with Client(command("mcp-proxy", "--", sys.executable, str(server))) as client:
            (tool,) = (await client.list_tools()).tools
            meanwhile(home.decide)
            done = await client.call_tool(tool.name, {"order": "1"})
        async with Client(command("mcp")) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            call = {"tool": {"name": "pay"}, "arguments": {}, "agent": {"name": "support"}}
            asked = await client.call_tool("request_approval", call | {"idempotency_key": "k"})
            action = asked.structured_content["action_id"]
            await asyncio.to_thread(home.decide)
            granted = await client.call_tool("wait_for_approval", {"action_id": action})
        return done, tools, granted.structured_content

    done, tools, granted = asyncio.run(run())
    assert done.meta["paraph/outcome"] == "approved-executed"
    assert [part.text for part in done.content][1] == "refunded 1"
    assert "wait_for_approval" in tools
    assert (granted["may_run"], granted["fence"]) == (True, 1)
