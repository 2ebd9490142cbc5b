"""Messages of the protocol on standard streams: JSON objects, one a line."""

import asyncio
import contextlib
import json
import math
import os
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

Message = dict[str, Any]
MESSAGE_MAX = 16 * 1024 * 1024
ENVELOPE = {"jsonrpc", "id", "method", "params", "result", "error"}
PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32602, -32603
CALL = "tools/call"
#: In `_meta`, since the protocol has no handshake.
VERSION = "io.modelcontextprotocol/protocolVersion"


class Unclear(Exception):
    """Somebody else could read it otherwise than it is read here."""

    def __init__(self, code: int, detail: str, message_id: Any = None) -> None:
        super().__init__(detail)
        self.code = code
        self.message_id = message_id


def parse(line: bytes) -> Message:
    """Raises Unclear for repeated names, numbers that are none, and what is no single message."""
    try:
        message = json.loads(
            line, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise Unclear(PARSE_ERROR, f"This is no JSON of one meaning: {error}.") from error
    if not isinstance(message, dict):
        raise Unclear(INVALID_REQUEST, "Send one JSON object a line; batches are not taken.")
    if unknown := set(message) - ENVELOPE:
        # Some programs take `Method` for `method`.
        detail = f"A message has no {', '.join(sorted(unknown))[:200]!r}."
        raise Unclear(INVALID_REQUEST, detail, id_of(message))
    return message


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is repeated")
    return value


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is too large")
    return number


def dumped(message: Message) -> bytes:
    """In ASCII, so that no character within a text ends the line."""
    return json.dumps(message, separators=(",", ":")).encode()


def id_of(message: Message) -> str | int | None:
    """None for a notification, and for what is no id."""
    found = message.get("id")
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def meta_of(message: Message) -> dict[str, Any]:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def result_for(message: Message, result: dict[str, Any]) -> Message:
    if VERSION in meta_of(message):
        result = {"resultType": "complete"} | result
    return {"jsonrpc": "2.0", "id": id_of(message), "result": result}


def error_for(message_id: Any, code: int, detail: str, data: Any = None) -> Message:
    error = {"code": code, "message": detail} | ({} if data is None else {"data": data})
    return {"jsonrpc": "2.0", "id": message_id, "error": error}


class StandardStreams:
    """Of this process, towards the client that has started it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def lines(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes] = asyncio.Queue()

        def read() -> None:
            kept = b""
            # Not through the buffer of Python, whose lock would be held when it ends.
            while read := os.read(0, 1 << 16):
                *lines, kept = (kept + read).split(b"\n")
                for line in lines:
                    loop.call_soon_threadsafe(queue.put_nowait, line + b"\n")
                if len(kept) > MESSAGE_MAX:
                    break
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(queue.put_nowait, b"")

        # A daemon: nothing ends a read that waits.
        threading.Thread(target=read, name="paraph-stdin", daemon=True).start()
        while line := await queue.get():
            if line.strip():
                yield line

    async def write(self, line: bytes) -> None:
        def put() -> None:
            sys.stdout.buffer.write(line.rstrip(b"\r\n") + b"\n")
            sys.stdout.buffer.flush()

        async with self._lock:
            await asyncio.to_thread(put)

    async def send(self, message: Message) -> None:
        await self.write(dumped(message))
