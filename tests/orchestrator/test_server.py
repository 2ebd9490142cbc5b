"""The web server's socket."""

import argparse
import asyncio
import selectors
import socket
from functools import partial

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from orchestrator import http_protocol
from orchestrator.http_protocol import HttpProtocol
from orchestrator.server import open_listener


def test_an_answer_is_sent_without_waiting_for_acknowledgements():
    options = argparse.Namespace(fd=None, host="127.0.0.1", port=0)
    with open_listener(options) as listener:
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Selector(selectors.DefaultSelector):
    """Waits a moment for what is under way, and passes the rest of the time."""

    passed = 0.0

    def select(self, timeout=None):
        ready = super().select(0.02 if timeout else timeout)
        self.passed += 0.0 if ready else timeout or 0.0
        return ready


class Loop(asyncio.SelectorEventLoop):
    """Its clock goes on only while everybody waits for it, however busy the machine is."""

    def __init__(self):
        self.selector = Selector()
        super().__init__(self.selector)

    def time(self):
        return self.selector.passed


def run(coroutine):
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(coroutine)


async def answer(scope, receive, send):
    """After the whole body."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def serve(application):
    """A server on a free port."""
    config = uvicorn.Config(application, log_config=None, lifespan="off", ws="websockets-sansio")
    config.load()
    protocol = partial(HttpProtocol, config=config, server_state=ServerState(), app_state={})
    return await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)


async def talk(parts, pause):
    """What the server has sent until it closed the connection, and after how long that was."""
    async with await serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        clock = asyncio.get_running_loop().time
        began = clock()
        for part in parts:
            if reader.at_eof():
                break
            writer.write(part)
            await asyncio.sleep(pause)
        answered = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    return answered, clock() - began


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 600\r\n"
END = HEAD + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD],
        [HEAD[:1], HEAD[1:2], HEAD[2:3], HEAD[3:4], HEAD[4:5]],
        [END],
        [END, b"a", b"b", b"c", b"d"],
        [HEAD + b"\r\n" + b"a" * 600 + HEAD, b"X"],
    ],
    ids=["head", "slow head", "body", "slow body", "next head"],
)
def test_a_request_that_does_not_go_on_is_closed(monkeypatch, parts):
    monkeypatch.setattr(http_protocol, "HALF_OPEN_SECONDS", 0.2)
    answered, seconds = run(talk(parts, pause=0.09))

    assert answered.count(b" 204 ") == parts[0].count(b"a" * 600)
    assert seconds < 2


def test_a_body_that_takes_long_and_keeps_coming_is_read(monkeypatch):
    monkeypatch.setattr(http_protocol, "HALF_OPEN_SECONDS", 0.2)
    answered, seconds = run(talk([END, *[b"a" * 100] * 6], pause=0.09))

    assert b" 204 " in answered
    assert seconds > 0.5


async def echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def talk_after(seconds):
    async with await serve(echo) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as websocket:
            await asyncio.sleep(seconds)
            await websocket.send("Still there?")
            return await websocket.recv()


def test_a_socket_that_is_silent_stays_open(monkeypatch):
    monkeypatch.setattr(http_protocol, "HALF_OPEN_SECONDS", 0.2)

    assert run(talk_after(0.6)) == "Still there?"
