"""Requests that wait for news of a project, without a thread or a database connection each.

The ordinary view answers first. Where that is an answer that waits for something, it is held back
here, in the event loop, until there is news or the time is over; then the view answers once more.
What is waited for is looked at once for all requests of a project, when its stream has moved.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qs
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db import Error as DatabaseAway

from audit.stream.hub import hub
from audit.stream.queries import in_database
from core.log_fields import context_of_its_own

logger = logging.getLogger(__name__)

WAIT_MAX_SECONDS = 50
RETRY_SECONDS = 1.0
# How many views of requests that may wait run at a time.
VIEWS = 6


@dataclass
class Answer:
    """What the view has said, held back."""

    messages: list[dict[str, Any]]

    @property
    def status(self) -> int:
        return self.messages[0]["status"] if self.messages else 0

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def is_json(self) -> bool:
        return self.header(b"content-type").startswith("application/json")

    def header(self, name: bytes) -> str:
        return header_of(self.messages[0]["headers"], name)


@dataclass(frozen=True)
class News:
    """What a request waits for: `key` is for `look` alone."""

    project: UUID
    key: Any


class Wait:
    """One kind of request that may wait."""

    method: ClassVar[str]
    path: ClassVar[re.Pattern[str]]
    #: How often to look without being told that the stream has moved.
    again_seconds: ClassVar[float]

    def seconds(self, scope: dict[str, Any], body: bytes) -> int:
        """How long the request is to wait; 0 for what the view will refuse."""
        return wait_in_query(scope)

    def news(self, scope: dict[str, Any], body: bytes, answer: Answer) -> News | None:
        """None where the answer is one that need not wait. May read the database."""
        raise NotImplementedError

    def look(self, project: UUID, keys: Sequence[Any]) -> list[bool]:
        """For which of them, in the order in which they came, there is news. Reads the database."""
        raise NotImplementedError


class WaitOverHttp:
    """ASGI, around Django and inside of the limit of bodies."""

    def __init__(self, inner: Callable[..., Awaitable[None]], *waits: Wait) -> None:
        self.inner, self.waits = inner, waits
        # One decision may wake hundreds: they must not all want a thread and a connection at once.
        self._turns = asyncio.Semaphore(VIEWS)

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        wait = next((wait for wait in self.waits if is_for(wait, scope)), None)
        if wait is None:
            await self.inner(scope, receive, send)
            return
        body = await read_body(receive)
        if body is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait.seconds(scope, body)
        gone = asyncio.create_task(disconnected(receive))
        is_first = True
        try:
            while not gone.done():
                answer = Answer([])
                async with self._turns:
                    await self.inner(dict(scope), replay(body), collect(answer))
                left = deadline - loop.time()
                news = None
                if left > 0 and not hub().is_closing:
                    news = await news_of(wait, scope, body, answer)
                if news is None:
                    for message in answer.messages:
                        await send(message)
                    return
                await watch_of(wait, news.project).wait(news.key, left, gone, is_new=is_first)
                is_first = False
        finally:
            gone.cancel()


def is_for(wait: Wait, scope: dict[str, Any]) -> bool:
    return wait.method == scope["method"] and wait.path.search(scope["path"]) is not None


async def news_of(wait: Wait, scope: dict[str, Any], body: bytes, answer: Answer) -> News | None:
    try:
        return await in_database(wait.news, scope, body, answer)
    except DatabaseAway:
        return None


class Watch:
    """All requests of one kind that wait for news of one project, in this process."""

    def __init__(self, wait: Wait, project: UUID) -> None:
        self.kind, self.project = wait, project
        # In the order in which they came.
        self._waiting: dict[asyncio.Future, Any] = {}
        self._new: set[asyncio.Future] = set()
        self._has_new = asyncio.Event()
        context = context_of_its_own(project=str(project))
        self._task = asyncio.create_task(self._run(), context=context)
        self._is_left = False

    @property
    def is_over(self) -> bool:
        return self._is_left or self._task.done()

    async def wait(self, key: Any, seconds: float, gone: asyncio.Task, *, is_new: bool) -> None:
        """Returns at news, at the end of the time, or once the client is gone.

        One that has been woken, and came too late, is looked at with the others only.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = key
        if is_new:
            self._new.add(future)
            self._has_new.set()
        try:
            ends = {future, gone, self._task}
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiting[future]
            self._new.discard(future)
            if not self._waiting:
                self._is_left = True
                self._task.cancel()

    async def _run(self) -> None:
        async with hub().buffer(self.project) as buffer:
            while not hub().is_closing:
                # Taken before the look, so that no news falls in between.
                changed = asyncio.create_task(buffer.changed())
                has_new = asyncio.create_task(self._has_new.wait())
                try:
                    await asyncio.wait(
                        {changed, has_new},
                        timeout=self.kind.again_seconds,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    is_about_new_ones = has_new.done() and not changed.done()
                finally:
                    changed.cancel()
                    has_new.cancel()
                self._has_new.clear()
                await self._look([*self._new] if is_about_new_ones else [*self._waiting])

    async def _look(self, futures: Sequence[asyncio.Future]) -> None:
        self._new.difference_update(futures)
        keys = [self._waiting[future] for future in futures]
        try:
            has_news = await in_database(self.kind.look, self.project, keys)
        except DatabaseAway as error:
            logger.warning("what is waited for was not read", extra={"error": repr(error)})
            await asyncio.sleep(RETRY_SECONDS)
            return
        for future, is_over in zip(futures, has_news, strict=True):
            if is_over and not future.done():
                future.set_result(None)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[Wait, UUID], Watch]] = (
    WeakKeyDictionary()
)


def watch_of(wait: Wait, project: UUID) -> Watch:
    watches = _watches.setdefault(asyncio.get_running_loop(), {})
    for key in [key for key, watch in watches.items() if watch.is_over]:
        del watches[key]
    watch = watches.get((wait, project))
    if watch is None:
        watch = watches[wait, project] = Watch(wait, project)
    return watch


def wait_in_query(scope: dict[str, Any]) -> int:
    text = parse_qs(scope["query_string"].decode("latin-1")).get("wait", ["0"])[-1]
    return seconds_of(int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else 0)


def seconds_of(number: Any) -> int:
    is_whole = isinstance(number, int) and not isinstance(number, bool)
    return number if is_whole and 0 <= number <= WAIT_MAX_SECONDS else 0


def header_of(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    found = next((value for key, value in headers if key.lower() == name), b"")
    return found.decode("latin-1")


async def read_body(receive: Callable[..., Awaitable[dict[str, Any]]]) -> bytes | None:
    """None where the client has gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def disconnected(receive: Callable[..., Awaitable[dict[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def replay(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """The whole body at once, and then silence: whether the client is there is asked elsewhere."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def collect(answer: Answer) -> Callable[[dict[str, Any]], Awaitable[None]]:
    async def send(message: dict[str, Any]) -> None:
        answer.messages.append(message)

    return send
