"""The stream over plain HTTP: Server-Sent Events, and a list request that waits."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe
from pydantic import ValidationError

from audit.access import access_policy
from audit.filters import EventFilter
from audit.metrics import CONNECTIONS
from audit.stream.authentication import Credentials, credentials_of
from audit.stream.hub import hub
from audit.stream.protocol import Subscribe, limits, refusal
from audit.stream.queries import in_database
from audit.stream.subscription import (
    NotVisible,
    Position,
    Stalled,
    Subscription,
    with_time_limit,
)
from core.errors import Forbidden, InvalidInput
from core.log_fields import note
from core.problems import CONTENT_TYPE, printable, problem
from core.query_parameters import check_query

EVENT_LIST = re.compile(r"/audit/events/?$")
KEEP_ALIVE_SECONDS = 15
SSE_QUERY = {"after", "epoch", "types"}
LAST_EVENT_ID = re.compile(r"([0-9a-f]{1,32}):([0-9]{1,19})")


class StreamOverHttp:
    """ASGI, around Django: holds requests that wait, and drops clients that do not read."""

    def __init__(self, inner: Callable) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if EVENT_LIST.search(scope["path"]) and b"wait=" in scope["query_string"]:
            await wait_for_events(scope)
        try:
            await self.inner(scope, receive, with_time_limit(send))
        except Stalled:
            # The server closes a connection whose answer is not complete.
            note(stalled=True)


async def wait_for_events(scope: dict[str, Any]) -> None:
    """Returns when there is an answer: an event, an error in the request, or the end of time."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    form = EventFilter({name: values[-1] for name, values in query.items()}).form
    if not form.is_valid():
        return
    filters = form.cleaned_data
    project_id, after, seconds = filters["project"], filters["after_sequence"], filters["wait"]
    if project_id is None or after is None or not seconds:
        return
    try:
        is_visible = await in_database(may_see, credentials_of(scope), project_id)
    except (OperationalError, InterfaceError):
        # The view will be without the database, too, and says so.
        return
    if not is_visible:
        return
    async with hub().buffer(project_id) as buffer:
        try:
            async with asyncio.timeout(seconds):
                while buffer.head.sequence <= after and not hub().is_closing:
                    await buffer.changed()
        except TimeoutError:
            return


def may_see(credentials: Credentials, project_id: UUID) -> bool:
    try:
        user = credentials.user()
    except Forbidden:
        return False
    return user is not None and access_policy().may_see(user, project_id)


@require_safe
async def event_stream(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Server-Sent Events of a project, resumed by `Last-Event-ID: epoch:sequence`."""
    credentials = credentials_of(request.scope)
    try:
        user = None if credentials.is_foreign else await in_database(credentials.user)
    except Forbidden as error:
        return refuse(403, error.code, error.detail)
    note(user=user and user.pk)
    if user is None:
        return refuse(401, "not_authenticated", "Log in, or send a token.")
    open_already = sum(listener.user.pk == user.pk for listener in hub().listeners)
    if open_already >= limits().max_connections:
        detail = f"You have {open_already} connections; close some."
        return refuse(429, "too_many_connections", detail)
    try:
        check_query(request, SSE_QUERY)
        subscribe = subscribe_message(request, project_id)
    except InvalidInput as error:
        return refuse(400, error.code, error.detail, error.errors)
    except ValidationError as error:
        return refuse(400, *refusal(error))
    if not await in_database(may_see, credentials, project_id):
        return refuse(404, "not_found", "There is no such project, or you may not see it.")
    return StreamingHttpResponse(
        sse_frames(subscribe, Reader(user, credentials)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def subscribe_message(request: HttpRequest, project_id: UUID) -> Subscribe:
    fields: dict[str, Any] = {name: request.GET[name] for name in request.GET}
    if last := request.headers.get("Last-Event-ID"):
        position = LAST_EVENT_ID.fullmatch(last)
        # Anything else fails the validation as a position.
        fields["epoch"], fields["after"] = position.groups() if position else ("", f"not {last}")
    if "types" in fields:
        fields["types"] = fields["types"].split(",")
    own = {"type": "subscribe", "id": str(project_id), "project": project_id, "window": None}
    return Subscribe.model_validate(fields | own)


class Reader:
    """Who reads Server-Sent Events; the hub ends it like a listener on a socket."""

    def __init__(self, user: Any, credentials: Credentials) -> None:
        self.user, self.credentials = user, credentials
        self.gone = asyncio.Event()

    async def log_out(self) -> None:
        self.gone.set()

    async def go_away(self) -> None:
        self.gone.set()


async def sse_frames(subscribe: Subscribe, reader: Reader) -> AsyncIterator[str]:
    frames: asyncio.Queue[str] = asyncio.Queue(1)
    subscription = Subscription(
        id=subscribe.id,
        project_id=subscribe.project,
        position=Position(subscribe.after, subscribe.epoch),
        types=frozenset(subscribe.types) if subscribe.types else None,
        send=frames.put,
        send_soon=lambda text: None if frames.full() else frames.put_nowait(text),
        may_see=lambda project_id: may_see(reader.credentials, project_id),
    )
    ends = [asyncio.create_task(subscription.run()), asyncio.create_task(reader.gone.wait())]
    hub().listeners.add(reader)
    CONNECTIONS.labels("sse").inc()
    try:
        async for text in frames_until(frames, ends, subscription.check_visible):
            yield sse_frame(text, subscription) if text else ": still here\n\n"
    except NotVisible:
        return
    finally:
        hub().listeners.discard(reader)
        for end in ends:
            end.cancel()
        CONNECTIONS.labels("sse").dec()


async def frames_until(
    frames: asyncio.Queue[str], ends: list[asyncio.Task], check: Callable[[], Awaitable[None]]
) -> AsyncIterator[str]:
    """Frames, and '' in their silence. `check` comes round however much there is to say."""
    checked = time.monotonic()
    while True:
        text = await next_frame(frames, ends)
        if text is None:
            return
        if not text or time.monotonic() - checked > limits().recheck_seconds:
            await check()
            checked = time.monotonic()
        yield text


async def next_frame(frames: asyncio.Queue[str], ends: list[asyncio.Task]) -> str | None:
    """'' when there is nothing to say, None at the end. Raises what ended the subscription."""
    waiting = asyncio.ensure_future(frames.get())
    try:
        await asyncio.wait(
            {waiting, *ends}, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for end in ends:
            if end.done():
                end.result()
                return None
        return waiting.result() if waiting.done() else ""
    finally:
        waiting.cancel()


def sse_frame(text: str, subscription: Subscription) -> str:
    frame = json.loads(text)
    lines = [f"data: {text}", "", ""]
    if frame["type"] != "event":
        lines.insert(0, f"event: {frame['type']}")
    if "sequence" in frame:
        lines.insert(0, f"id: {subscription.buffer.head.epoch}:{frame['sequence']}")
    return "\n".join(lines)


def refuse(status: int, code: str, detail: str, errors: Any = None) -> JsonResponse:
    body = printable(problem(status, code, detail, errors))
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)
