"""`paraph mcp`: the tools of the server at `/mcp/`, for clients that start a program."""

import asyncio
import functools
import json
import time
import uuid
from typing import Any

import httpx

from paraph.connection import Connection
from paraph.flow import CONNECT_SECONDS, RETRIED, Backoff
from paraph.mcp.messages import (
    CALL,
    INTERNAL_ERROR,
    PARSE_ERROR,
    VERSION,
    Message,
    StandardStreams,
    Unclear,
    dumped,
    error_for,
    id_of,
    meta_of,
    parse,
)

# Longer than any tool waits.
READ_SECONDS = 90.0


class Bridge:
    """Each message is a request of its own to the server, and its answer a line.

    The server speaks the protocol; nothing of it is done here, but for what the transport needs.
    """

    def __init__(
        self, connection: Connection, streams: StandardStreams, http: httpx.AsyncClient
    ) -> None:
        self.connection, self.streams, self.http = connection, streams, http
        self._version = ""
        self._running: dict[Any, asyncio.Task[None]] = {}

    async def run(self) -> None:
        async for line in self.streams.lines():
            try:
                message = parse(line)
            except Unclear as error:
                await self.streams.send(error_for(error.message_id, error.code, str(error)))
                continue
            params = message.get("params")
            if message.get("method") == "notifications/cancelled" and isinstance(params, dict):
                # Who hangs up is granted nothing any more.
                if task := self._running.get(params.get("requestId")):
                    task.cancel()
                continue
            task = asyncio.create_task(self._pass_on(message, line))
            key: Any = object() if id_of(message) is None else id_of(message)
            self._running[key] = task
            task.add_done_callback(functools.partial(self._forget, key))
        if self._running:
            # What was asked before the end is answered still.
            await asyncio.wait(self._running.values())

    def _forget(self, key: Any, task: "asyncio.Task[None]") -> None:
        self._running.pop(key, None)

    async def _pass_on(self, message: Message, line: bytes) -> None:
        message_id = id_of(message)
        try:
            answers = await self._post(message, line)
        except httpx.HTTPError as error:
            detail = f"{self.connection.url} cannot be reached: {type(error).__name__} {error}"
            answers = [error_for(message_id, INTERNAL_ERROR, detail)]
        for answer in answers if message_id is not None else ():
            result = answer.get("result")
            if message.get("method") == "initialize" and isinstance(result, dict):
                self._version = str(result.get("protocolVersion", ""))
            await self.streams.send(answer)

    async def _post(self, message: Message, line: bytes) -> list[Message]:
        params = message.get("params")
        given = params.get("arguments") if isinstance(params, dict) else None
        if (
            isinstance(params, dict)
            and isinstance(given, dict)
            and (message.get("method"), params.get("name")) == (CALL, "wait_for_approval")
        ):
            # A permission whose answer is lost is repeated by its key.
            given = {"claim_key": uuid.uuid4().hex} | given
            line = dumped(message | {"params": params | {"arguments": given}})
        backoff, deadline = Backoff(), time.monotonic() + self.connection.patience
        while True:
            error: httpx.HTTPError | None = None
            try:
                response = await self.http.post(
                    f"{self.connection.url}/mcp/",
                    content=line,
                    headers=self._headers(message),
                    timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                )
                if response.status_code not in RETRIED:
                    return _answers(response, id_of(message))
            except httpx.TransportError as raised:
                error = raised
            wait = backoff.wait()
            if time.monotonic() + wait > deadline:
                if error is not None:
                    raise error
                return _answers(response, id_of(message))
            await asyncio.sleep(wait)

    def _headers(self, message: Message) -> dict[str, str]:
        headers = self.connection.headers | {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        if version := meta_of(message).get(VERSION) or self._version:
            headers["MCP-Protocol-Version"] = str(version)
        if VERSION in meta_of(message):
            headers["Mcp-Method"] = str(message.get("method", ""))
            name = message["params"].get("name") or message["params"].get("uri")
            if isinstance(name, str) and name.isascii():
                headers["Mcp-Name"] = name
        return headers


def _answers(response: httpx.Response, message_id: Any) -> list[Message]:
    if not response.content.strip():
        return []
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    try:
        if kind == "text/event-stream":
            events = response.text.replace("\r\n", "\n").split("\n\n")
            texts = ["\n".join(_data(event)) for event in events]
            return [json.loads(text) for text in texts if text]
        answer = json.loads(response.content)
    except ValueError:
        detail = f"The server answered {response.status_code} with what is no JSON."
        return [error_for(message_id, PARSE_ERROR, detail)]
    if isinstance(answer, dict) and "jsonrpc" in answer:
        return [answer | {"id": message_id if answer.get("id") is None else answer["id"]}]
    # A refusal of the API: no credential, too many requests.
    detail = answer.get("detail", "") if isinstance(answer, dict) else ""
    code = answer.get("code", "") if isinstance(answer, dict) else ""
    return [
        error_for(message_id, INTERNAL_ERROR, f"{response.status_code} {code}: {detail}", answer)
    ]


def _data(event: str) -> list[str]:
    return [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]


async def serve_tools(connection: Connection) -> None:
    async with httpx.AsyncClient() as http:
        await Bridge(connection, StandardStreams(), http).run()
