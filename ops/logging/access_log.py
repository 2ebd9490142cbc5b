"""Every request and every socket has an id, and writes one line when it is over."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from core.log_fields import PLAIN_ID, line_of_a_request, log_fields
from ops.logging.log_context import method_of

logger = logging.getLogger(__name__)

HEADER = b"x-request-id"


class AccessLog:
    """ASGI, outermost: requests that never reach Django also get an id and a line."""

    def __init__(self, inner: Callable) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        is_socket, began = scope["type"] == "websocket", time.monotonic()
        header = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = header.decode("latin-1")
        if not PLAIN_ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        with log_fields(request_id=request_id), line_of_a_request() as facts:
            facts |= {"route": "none", "user": None}
            try:
                if is_socket:
                    await self.inner(scope, note_close_code(receive, facts), send)
                else:
                    facts |= {"method": method_of(scope["method"]), "status": None}
                    named_send = add_request_id(send, request_id, facts)
                    await self.inner(scope, receive, named_send)
            finally:
                facts["duration_ms"] = round((time.monotonic() - began) * 1000, 1)
                logger.info("socket closed" if is_socket else "request", extra=facts)


def add_request_id(send: Callable, request_id: str, facts: dict[str, Any]) -> Callable:
    """Also notes the status of the answer."""

    async def named_send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            facts["status"] = message["status"]
            headers = message.get("headers", [])
            if not any(name.lower() == HEADER for name, _ in headers):
                message = message | {"headers": [*headers, (HEADER, request_id.encode())]}
        await send(message)

    return named_send


def note_close_code(receive: Callable, facts: dict[str, Any]) -> Callable:
    # Not `send`: it is called for every event.
    async def noting_receive() -> dict[str, Any]:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            facts["close_code"] = message.get("code")
        return message

    return noting_receive
