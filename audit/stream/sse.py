"""The news for who has only HTTP: Server-Sent Events, and a list request that waits."""

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
from audit.stream.backpressure import Stalled, decongested
from audit.stream.database import in_database
from audit.stream.hub import hub
from audit.stream.limits import limits
from audit.stream.login import Credentials, credentials_of
from audit.stream.messages import Subscribe, refusal
from audit.stream.subscription import NotVisible, Position, Subscription
from core.errors import InvalidInput
from core.log_fields import note
from core.problems import CONTENT_TYPE, printable, problem
from core.query_parameters import check_query

RAW_SEND = "paraph.send"
EVENT_LIST = re.compile(r"/audit/events/?$")
KEEP_ALIVE_SECONDS = 15
SSE_QUERY = {"after", "epoch", "types"}
LAST_EVENT_ID = re.compile(r"([0-9a-f]{1,32}):([0-9]{1,19})")


class NewsOverHttp:
    """ASGI, around Django: shows views the server's own `send`, and holds requests that wait."""

    def __init__(self, inner: Callable) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if EVENT_LIST.search(scope["path"]) and b"wait=" in scope["query_string"]:
            await wait_for_news(scope)
        await self.inner(scope | {RAW_SEND: scope.get(RAW_SEND, send)}, receive, send)


async def wait_for_news(scope: dict[str, Any]) -> None:
    """Returns when the answer has something to say: an event, or that the request is no good."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    form = EventFilter({name: values[-1] for name, values in query.items()}).form
    if not form.is_valid():
        return
    wanted = form.cleaned_data
    project_id, after = wanted["project"], wanted["after_sequence"]
    if project_id is None or after is None or not wanted["wait"]:
        return
    try:
        is_seen = await in_database(may_see, credentials_of(scope), project_id)
    except (OperationalError, InterfaceError):
        # Who answers will be without it, too, and says so.
        return
    if not is_seen:
        return
    async with hub().feed(project_id) as feed:
        try:
            async with asyncio.timeout(wanted["wait"]):
                while feed.head.sequence <= after:
                    await feed.news()
        except TimeoutError:
            return


def may_see(credentials: Credentials, project_id: UUID) -> bool:
    user = credentials.user()
    return user is not None and access_policy().may_see(user, project_id)


@require_safe
async def event_stream(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Server-Sent Events of a project, resumed by `Last-Event-ID: epoch:sequence`."""
    credentials = credentials_of(request.scope)
    user = None if credentials.is_foreign else await in_database(credentials.user)
    note(user=user and user.pk)
    if user is None:
        return refuse(401, "not_authenticated", "Log in, or send a token.")
    others = sum(one.user.pk == user.pk for one in hub().listeners)
    if others >= limits().max_connections:
        return refuse(429, "too_many_connections", f"You have {others} connections; close some.")
    try:
        check_query(request, SSE_QUERY)
        wanted = wanted_of(request, project_id)
    except InvalidInput as error:
        return refuse(400, error.code, error.detail, error.errors)
    except ValidationError as error:
        return refuse(400, *refusal(error))
    if not await in_database(may_see, credentials, project_id):
        return refuse(404, "not_found", "There is no such project, or you may not see it.")
    return StreamingHttpResponse(
        written(wanted, Reader(user, credentials), request.scope.get(RAW_SEND)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def wanted_of(request: HttpRequest, project_id: UUID) -> Subscribe:
    fields: dict[str, Any] = {name: request.GET[name] for name in request.GET}
    if last := request.headers.get("Last-Event-ID"):
        found = LAST_EVENT_ID.fullmatch(last)
        # What is no position of ours fails as one that cannot be.
        fields["epoch"], fields["after"] = found.groups() if found else ("", f"not {last}")
    if "types" in fields:
        fields["types"] = fields["types"].split(",")
    own = {"type": "subscribe", "id": str(project_id), "project": project_id, "window": None}
    return Subscribe.model_validate(fields | own)


class Reader:
    """Who reads Server-Sent Events, watched like who listens on a socket."""

    def __init__(self, user: Any, credentials: Credentials) -> None:
        self.user, self.credentials = user, credentials
        self.gone = asyncio.Event()

    async def log_out(self) -> None:
        self.gone.set()

    async def go_away(self) -> None:
        self.gone.set()


async def written(wanted: Subscribe, reader: Reader, send: Any) -> AsyncIterator[str]:
    frames: asyncio.Queue[str] = asyncio.Queue(1)
    subscription = Subscription(
        id=wanted.id,
        project_id=wanted.project,
        position=Position(wanted.after, wanted.epoch),
        types=frozenset(wanted.types) if wanted.types else None,
        send=frames.put,
        send_soon=lambda text: None if frames.full() else frames.put_nowait(text),
        may_see=lambda project_id: may_see(reader.credentials, project_id),
    )
    ends = [asyncio.create_task(subscription.run()), asyncio.create_task(reader.gone.wait())]
    hub().listeners.add(reader)
    CONNECTIONS.labels("sse").inc()
    try:
        async for text in frames_until(frames, ends, subscription.check_visible):
            await decongested(send, limits().stalled_seconds)
            yield written_frame(text, subscription) if text else ": still here\n\n"
    except (NotVisible, Stalled):
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


def written_frame(text: str, subscription: Subscription) -> str:
    frame = json.loads(text)
    lines = [f"data: {text}", "", ""]
    if frame["type"] != "event":
        lines.insert(0, f"event: {frame['type']}")
    if "sequence" in frame:
        lines.insert(0, f"id: {subscription.feed.head.epoch}:{frame['sequence']}")
    return "\n".join(lines)


def refuse(status: int, code: str, detail: str, errors: Any = None) -> JsonResponse:
    body = printable(problem(status, code, detail, errors))
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)
