"""No request body beyond its limit is taken in, whatever its header says."""

import json
from collections.abc import Callable
from typing import Any

from core.problems import CONTENT_TYPE, problem


class BodyTooLarge(Exception):
    pass


class BodyLimit:
    """ASGI, around Django, which would keep the whole body on disk before any view is asked.

    `larger` names the few paths, by their end, that take more.
    """

    def __init__(self, inner: Callable, *, limit: int, larger: dict[str, int]) -> None:
        self.inner, self.limit, self.larger = inner, limit, larger

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        path = scope["path"].rstrip("/")
        limit = next((n for end, n in self.larger.items() if path.endswith(end)), self.limit)
        if _announced(scope) > limit:
            await _refuse(send, limit)
            return
        has_begun = False

        async def counted_send(message: dict[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.inner(scope, _counted(receive, limit), counted_send)
        except BodyTooLarge:
            if not has_begun:
                await _refuse(send, limit)


def _announced(scope: dict[str, Any]) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _counted(receive: Callable, limit: int) -> Callable:
    taken = 0

    async def counted() -> dict[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise BodyTooLarge
        return message

    return counted


async def _refuse(send: Callable, limit: int) -> None:
    detail = f"The request body is larger than this server accepts ({limit:,} bytes)."
    body = json.dumps(problem(413, "too_large", detail)).encode()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
