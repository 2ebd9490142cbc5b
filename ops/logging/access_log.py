"""Every request and every socket has an id, and leaves one line when it is over."""

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
    """ASGI, outermost: also what never reaches Django is answered with an id, and told of."""

    def __init__(self, inner: Callable) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        request_id, began = _request_id(scope), time.monotonic()
        with log_fields(request_id=request_id), line_of_a_request() as facts:
            facts |= {"route": "none", "user": None}
            try:
                if scope["type"] == "websocket":
                    await self.inner(scope, _noting_close(receive, facts), send)
                else:
                    facts["method"], facts["status"] = method_of(scope["method"]), None
                    own_send = _naming(send, request_id, facts)
                    await self.inner(scope, receive, own_send)
            finally:
                facts["duration_ms"] = round((time.monotonic() - began) * 1000, 1)
                said = "socket closed" if scope["type"] == "websocket" else "request"
                logger.info(said, extra=facts)


def _request_id(scope: dict[str, Any]) -> str:
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    text = given.decode("latin-1")
    return text if PLAIN_ID.fullmatch(text) else str(uuid.uuid4())


def _naming(send: Callable, request_id: str, facts: dict[str, Any]) -> Callable:
    async def named(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            facts["status"] = message["status"]
            headers = message.get("headers", [])
            if not any(name.lower() == HEADER for name, _ in headers):
                message = message | {"headers": [*headers, (HEADER, request_id.encode())]}
        await send(message)

    return named


def _noting_close(receive: Callable, facts: dict[str, Any]) -> Callable:
    # Not `send`: it is called for every event.
    async def noted() -> dict[str, Any]:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            facts["close_code"] = message.get("code")
        return message

    return noted
