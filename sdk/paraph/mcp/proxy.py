"""`paraph mcp-proxy`: any MCP server, of which chosen tools ask people before they run.

What a client sends is read, and written anew: the server behind is never given bytes that could
mean something else to it. A chosen tool gets exactly what was approved, in canonical form.
"""

import asyncio
from typing import Any

from paraph.client import AsyncClient
from paraph.mcp.gated import PARAMETERS, GatedCalls, Options
from paraph.mcp.messages import (
    CALL,
    INVALID_PARAMS,
    Message,
    StandardStreams,
    Unclear,
    dumped,
    error_for,
    id_of,
    parse,
)
from paraph.mcp.upstream import STOP_SECONDS, Upstream

HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
NOTE = (
    "People approve each call before it runs. A result that says PENDING means that nobody has "
    "decided yet: make the same call again, with the same arguments, to go on waiting."
)


class Proxy:
    def __init__(self, options: Options, client: AsyncClient, streams: StandardStreams) -> None:
        self.options, self.streams = options, streams
        self.upstream = Upstream(options.command)
        self.gated = GatedCalls(options, client, self.upstream)
        #: Calls of chosen tools, by the client's id.
        self._calls: dict[Any, asyncio.Task[None]] = {}

    async def run(self) -> int:
        """Until the client or the server has gone; the server's exit status. Raises OSError."""
        await self.upstream.start()
        reading = [asyncio.create_task(read()) for read in (self._from_client, self._from_server)]
        await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        if self._calls:
            # What is with the server may end still, or be reported as lost.
            await asyncio.wait(self._calls.values(), timeout=STOP_SECONDS)
        for task in (*reading, *self._calls.values()):
            task.cancel()
        await asyncio.gather(*reading, *self._calls.values(), return_exceptions=True)
        await self.gated.close()
        return await self.upstream.stop()

    async def _from_client(self) -> None:
        async for line in self.streams.lines():
            try:
                await self._take(parse(line))
            except Unclear as error:
                await self.streams.send(error_for(error.message_id, error.code, str(error)))

    async def _take(self, message: Message) -> None:
        method, params, key = message.get("method"), message.get("params"), id_of(message)
        if isinstance(method, str) and method != CALL and method.strip().casefold() == CALL:
            raise Unclear(INVALID_PARAMS, f"Write {CALL}.", key)
        if method == "notifications/cancelled" and isinstance(params, dict):
            call = params.get("requestId")
            if isinstance(call, str | int) and call in self._calls:
                if not await self.gated.cancel(call, "the client has cancelled it"):
                    self._calls[call].cancel()
                return
        if method != CALL:
            await self.upstream.send(message)
            return
        if not isinstance(params, dict) or not isinstance(params.get("name"), str):
            raise Unclear(INVALID_PARAMS, "Name the tool.", key)
        if unknown := set(params) - PARAMETERS - {"task"}:
            # Another way of writing `name`, perhaps.
            detail = f"{CALL} takes no {', '.join(sorted(unknown))[:200]}."
            raise Unclear(INVALID_PARAMS, detail, key)
        if not self.options.asks(params["name"]):
            await self.upstream.send(message)
            return
        if key is None or key in self._calls:
            raise Unclear(INVALID_PARAMS, "Give each call an id of its own.", key)
        self._calls[key] = task = asyncio.create_task(self._call(message))
        task.add_done_callback(lambda _: self._calls.pop(key, None))

    async def _call(self, message: Message) -> None:
        await self.streams.send(await self.gated.answer(message))

    async def _from_server(self) -> None:
        async for line, message in self.upstream.messages():
            result = message.get("result")
            if isinstance(result, dict) and isinstance(result.get("tools"), list):
                self._note_tools(result["tools"])
                line = dumped(message)
            await self.streams.write(line)

    def _note_tools(self, tools: list[Any]) -> None:
        """Their hints, for the card; and what a client should know of those that ask."""
        for tool in tools:
            if not isinstance(tool, dict) or not self.options.asks(str(tool.get("name"))):
                continue
            annotations = tool.get("annotations")
            hints = annotations if isinstance(annotations, dict) else {}
            self.gated.hints[tool["name"]] = {
                hint: hints[hint] for hint in HINTS if isinstance(hints.get(hint), bool)
            }
            tool["description"] = f"{tool.get('description') or ''}\n\n{NOTE}".strip()
            if isinstance(tool.get("execution"), dict):
                tool["execution"]["taskSupport"] = "forbidden"


async def serve_proxy(options: Options, client: AsyncClient) -> int:
    async with client:
        return await Proxy(options, client, StandardStreams()).run()
