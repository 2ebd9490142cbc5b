"""Refuses request bodies that are larger than allowed, whatever their header says."""

import json
from collections.abc import Callable
from typing import Any

from core.problems import CONTENT_TYPE, problem


class BodyTooLarge(Exception):
    pass


class BodyLimit:
    """ASGI, around Django, which would store the whole body on disk before a view runs.

    `larger` names the few paths, by their end, that accept more.
    """

    def __init__(self, inner: Callable, *, limit: int, larger: dict[str, int]) -> None:
        self.inner, self.limit, self.larger = inner, limit, larger

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        path = scope["path"].rstrip("/")
        limit = next((n for end, n in self.larger.items() if path.endswith(end)), self.limit)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            await _refuse(send, limit)
            return
        received_bytes, has_begun = 0, False

        async def counted_receive() -> dict[str, Any]:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > limit:
                raise BodyTooLarge
            return message

        async def noted_send(message: dict[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.inner(scope, counted_receive, noted_send)
        except BodyTooLarge:
            if not has_begun:
                await _refuse(send, limit)


async def _refuse(send: Callable, limit: int) -> None:
    detail = f"The request body is larger than this server accepts ({limit:,} bytes)."
    body = json.dumps(problem(413, "too_large", detail)).encode()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
