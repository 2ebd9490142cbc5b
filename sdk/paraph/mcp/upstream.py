"""The MCP server behind the proxy: a program that the proxy starts."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import AsyncIterator, Sequence

from paraph.canonical import canonical
from paraph.mcp.messages import MESSAGE_MAX, Message, dumped

logger = logging.getLogger("paraph")
#: How long it may take to answer after it was told to stop.
STOP_SECONDS = 5.0
# It gets no right to ask for anything by itself.
HIDDEN = {"PARAPH_TOKEN", "PARAPH_PERSON_TOKEN"}


class Lost(Exception):
    """It has gone, or was told to stop, before it said how a request ended."""


class Upstream:
    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.has_gone = False
        self._answers: dict[str, asyncio.Future[Message]] = {}

    async def start(self) -> None:
        """Raises OSError."""
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name not in HIDDEN},
            limit=MESSAGE_MAX,
        )

    async def stop(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()

    async def send(self, message: Message) -> None:
        await self._write(dumped(message))

    def begin(self) -> str:
        """An id for `request`, which no client can guess or use."""
        own_id = f"paraph-{secrets.token_hex(16)}"
        self._answers[own_id] = asyncio.get_running_loop().create_future()
        return own_id

    async def request(self, own_id: str, method: str, params: Message) -> Message:
        """In canonical form; its answer. Raises Lost, OSError."""
        request = {"jsonrpc": "2.0", "id": own_id, "method": method, "params": params}
        answer = self._answers[own_id]
        await self._write(canonical(request))
        return await answer

    async def cancel(self, own_id: str, reason: str) -> None:
        """It may answer still; soon nobody waits for that."""
        answer = self._answers.get(own_id)
        if answer is None or answer.done():
            return
        params = {"requestId": own_id, "reason": reason}
        await self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        loop = asyncio.get_running_loop()
        loop.call_later(STOP_SECONDS, self._give_up, answer, reason)

    async def messages(self) -> AsyncIterator[tuple[bytes, Message]]:
        """What it writes, but for the answers to our own requests; each line as it came, too."""
        try:
            assert self._process.stdout is not None  # noqa: S101
            while line := await self._process.stdout.readline():
                message = _object_in(line)
                if message is None:
                    logger.warning("%s wrote what is no message: %r", self.command[0], line[:200])
                elif (answer := self._answer_in(message)) is None:
                    yield line, message
                elif not answer.done():
                    answer.set_result(message)
        finally:
            self.has_gone = True
            for answer in self._answers.values():
                self._give_up(answer, "the server has gone")

    def _answer_in(self, message: Message) -> "asyncio.Future[Message] | None":
        message_id = message.get("id")
        if "method" in message or not isinstance(message_id, str):
            return None
        return self._answers.pop(message_id, None)

    async def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()

    @staticmethod
    def _give_up(answer: "asyncio.Future[Message]", reason: str) -> None:
        if not answer.done():
            answer.set_exception(Lost(reason))


def _object_in(line: bytes) -> Message | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
