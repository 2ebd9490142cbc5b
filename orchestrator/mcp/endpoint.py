"""`/mcp/`: tools for agents by the Model Context Protocol (streamable HTTP), for their credentials.

Each request stands for itself, so that any web process can serve it: no session, no stream that is
resumed. The protocol is the official package's; it is loaded at the first request.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import Error as DatabaseError

from audit.stream.authentication import is_own_origin, scheme_in
from audit.stream.queries import in_database
from audit.stream.waits import read_body
from core.database import DATABASE_AWAY, DETAIL, RETRY_AFTER_SECONDS
from core.errors import Unprocessable
from core.log_fields import context_of_its_own, note
from core.problems import CONTENT_TYPE, problem
from core.throttles import MINUTE, address_requests
from hitl.agent_actions.digests import parse_exactly
from orchestrator.mcp.rest import Agent
from projects.credentials import KEYWORD, find_credential
from projects.models import AgentCredential

PATHS = ("/mcp", "/mcp/")
INVALID_REQUEST = -32600


class McpEndpoint:
    """ASGI, around what answers the REST API, and inside of the limit of bodies."""

    def __init__(self, rest: Callable[..., Awaitable[None]]) -> None:
        self.rest = rest
        self._serving: WeakKeyDictionary[asyncio.AbstractEventLoop, Serving] = WeakKeyDictionary()

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["path"] not in PATHS:
            await self.rest(scope, receive, send)
            return
        note(route="mcp/")
        admitted = await admit(scope, receive, send)
        if admitted is None:
            return
        credential, body = admitted
        try:
            parse_exactly(body)
        except Unprocessable as error:
            await refuse_message(send, body, error)
            return
        agent = Agent(credential, self.rest, scope)
        manager = await self._manager()
        await manager.handle_request(
            scope | {"agent": agent}, receive_of(body, receive, agent), send
        )

    async def _manager(self) -> Any:
        """That of this event loop, begun at the first request: not every server has a lifespan."""
        loop = asyncio.get_running_loop()
        serving = self._serving.get(loop)
        if serving is None or serving.has_failed:
            serving = self._serving[loop] = Serving()
        return await asyncio.shield(serving.manager)


async def admit(
    scope: dict[str, Any], receive: Callable, send: Callable
) -> tuple[AgentCredential, bytes] | None:
    """Who calls, and the whole body; None for who was refused, or has gone."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    address = (scope.get("client") or ("",))[0]
    origin, host = headers.get(b"origin"), headers.get(b"host", "")
    if not is_own_origin(origin, host, scheme=scheme_in(scope["scheme"], headers)):
        # A page of another site, in a browser that reaches this server.
        await refuse(send, 403, "foreign_origin", "Pages of other origins may not use this.")
        return None
    if scope["method"] != "POST":
        detail = "Send messages by POST. There is no stream to read, and no session to end."
        await refuse(send, 405, "method_not_allowed", detail, allow="POST")
        return None
    if seconds := address_requests.take(address, settings.THROTTLE_ADDRESS_PER_MINUTE, MINUTE):
        wait = {"retry_after": str(math.ceil(seconds))}
        await refuse(send, 429, "rate_limited", "Too many requests from your address.", **wait)
        return None
    try:
        credential = await credential_of(headers.get(b"authorization", ""))
    except DatabaseError:
        wait = {"retry_after": str(RETRY_AFTER_SECONDS)}
        await refuse(send, 503, DATABASE_AWAY, DETAIL, **wait)
        return None
    if credential is None:
        detail = (
            "Send the credential of an agent as `Authorization: Bearer …`; an owner of the "
            "project makes it. It may have been revoked, or have expired."
        )
        await refuse(send, 401, "authentication_failed", detail, www_authenticate="Bearer")
        return None
    body = await read_body(receive)
    return None if body is None else (credential, body)


class Serving:
    """The protocol's manager, in a task of its own that is cancelled with its event loop."""

    def __init__(self) -> None:
        self.manager: asyncio.Future = asyncio.get_running_loop().create_future()
        # What it begins serves others, too, than the request that happens to come first.
        self._task = asyncio.create_task(self._run(), context=context_of_its_own())

    @property
    def has_failed(self) -> bool:
        return self._task.done()

    async def _run(self) -> None:
        try:
            server = await asyncio.to_thread(import_module, "orchestrator.mcp.server")
            manager = server.new_manager()
            async with manager.run():
                self.manager.set_result(manager)
                await asyncio.Event().wait()
        except Exception as error:
            if self.manager.done():
                raise
            self.manager.set_exception(error)


async def credential_of(header: str) -> AgentCredential | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != KEYWORD:
        return None
    return await in_database(find_credential, token.strip())


def receive_of(body: bytes, receive: Callable, agent: Agent) -> Callable:
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> dict[str, Any]:
        message = messages.pop() if messages else await receive()
        agent.is_gone |= message["type"] == "http.disconnect"
        return message

    return replay


async def refuse_message(send: Callable, body: bytes, error: Unprocessable) -> None:
    """As the protocol has it, to the message at hand: what is not exact is never half read."""
    try:
        message = json.loads(body)
        message_id = message.get("id") if isinstance(message, dict) else None
    except (ValueError, RecursionError):
        message_id = None
    is_id = isinstance(message_id, int | str)
    data = problem(error.status, error.code, error.detail)
    fault = {"code": INVALID_REQUEST, "message": f"{error.code}: {error.detail}", "data": data}
    answer = {"jsonrpc": "2.0", "id": message_id if is_id else None, "error": fault}
    await respond(send, 400, answer, b"application/json")


async def refuse(send: Callable, status: int, code: str, detail: str, **headers: str) -> None:
    named = [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()]
    await respond(send, status, problem(status, code, detail), CONTENT_TYPE.encode(), *named)


async def respond(
    send: Callable, status: int, data: dict, content_type: bytes, *headers: tuple[bytes, bytes]
) -> None:
    body = json.dumps(data).encode()
    own = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
