"""The REST API of this process, asked by a tool: one way in, with all its checks and limits."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from audit.stream.waits import WAIT_MAX_SECONDS, replay
from hitl.enums import ActionStatus
from projects.models import AgentCredential

NOT_MODIFIED = 304
# Who asks, from where, and under which name of the server; all else is the tool's own.
PASSED_ON = {b"authorization", b"host", b"user-agent", b"x-request-id", b"x-real-ip", b"forwarded"}


@dataclass(frozen=True)
class Answer:
    status: int
    data: Any
    etag: bytes

    @property
    def is_error(self) -> bool:
        return self.status >= 400


def agent_of(context: Any) -> "Agent":
    """Who sends this message."""
    return context.request.scope["agent"]


class Agent:
    """Who calls tools, by a credential; and the API, which looks at that credential again."""

    def __init__(
        self,
        credential: AgentCredential,
        application: Callable[..., Awaitable[None]],
        scope: dict[str, Any],
    ) -> None:
        self.credential = credential
        #: Whether the client has hung up: nothing may be claimed for it any more.
        self.is_gone = False
        self._application, self._scope = application, scope

    async def get(self, path: str, *, known: bytes = b"", **query: Any) -> Answer:
        """`known`: the `etag` of what is known already; 304 where it is still so."""
        headers = {b"if-none-match": known} if known else {}
        return await self._request("GET", path, urlencode(query), b"", headers)

    async def post(self, path: str, body: dict[str, Any], *, key: str = "") -> Answer:
        headers = {b"content-type": b"application/json"}
        if key:
            headers[b"idempotency-key"] = key.encode("latin-1")
        return await self._request("POST", path, "", json.dumps(body).encode(), headers)

    async def wait_for_decision(self, action_id: str, seconds: float) -> Answer:
        """The action, once people have decided or the time is over."""
        path, loop = f"actions/{action_id}/", asyncio.get_running_loop()
        deadline = loop.time() + seconds
        answer = await self.get(path)
        while (
            not answer.is_error
            and answer.data["status"] == ActionStatus.PENDING
            and (left := deadline - loop.time()) > 0
            and not self.is_gone
        ):
            # Counted from what was seen: what is decided meanwhile is no longer waited for.
            wait = min(WAIT_MAX_SECONDS, math.ceil(left))
            news = await self.get(path, known=answer.etag, wait=wait)
            if news.status != NOT_MODIFIED:
                answer = news
        return answer

    async def _request(
        self, method: str, path: str, query: str, body: bytes, headers: dict[bytes, bytes]
    ) -> Answer:
        path = f"/api/v1/{path}"
        passed_on = [
            (name, value)
            for name, value in self._scope["headers"]
            if name in PASSED_ON or name.startswith(b"x-forwarded-")
        ]
        own = {b"accept": b"application/json", b"content-length": b"%d" % len(body)} | headers
        scope = self._scope | {
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [*passed_on, *own.items()],
        }
        status, etag, parts = 500, b"", []

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, etag
            if message["type"] == "http.response.start":
                status = message["status"]
                fields = {name.lower(): value for name, value in message["headers"]}
                etag = fields.get(b"etag", b"")
            parts.append(message.get("body", b""))

        # Whoever hangs up cancels the tool, and with it this.
        await self._application(scope, replay(body), send)
        return Answer(status, json.loads(b"".join(parts) or b"null"), etag)
