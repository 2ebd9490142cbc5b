"""Each operation is written once, as a generator of steps; two small loops run it.

A step is a request, a pause or a call of somebody's function. `run` takes them one after another,
`run_async` awaits them.
"""

import asyncio
import contextlib
import inspect
import random
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import httpx

from paraph.errors import ApiError, Unavailable

T = TypeVar("T")
#: What is worth another try: it was not refused, it was not served.
RETRIED = {429, 500, 502, 503, 504, 507}
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0


class Step(Protocol):
    def perform(self, http: httpx.Client) -> Any: ...

    async def perform_async(self, http: httpx.AsyncClient) -> Any: ...


Flow = Generator[Step, Any, T]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    read_seconds: float = READ_SECONDS

    def _options(self) -> dict[str, Any]:
        body = {} if self.json is None else {"json": self.json}
        timeout = httpx.Timeout(self.read_seconds, connect=CONNECT_SECONDS)
        return {"headers": self.headers, "params": self.params or None, "timeout": timeout} | body

    def perform(self, http: httpx.Client) -> httpx.Response:
        return http.request(self.method, self.path, **self._options())

    async def perform_async(self, http: httpx.AsyncClient) -> httpx.Response:
        return await http.request(self.method, self.path, **self._options())


@dataclass(frozen=True)
class Pause:
    seconds: float

    def perform(self, http: httpx.Client) -> None:
        time.sleep(self.seconds)

    async def perform_async(self, http: httpx.AsyncClient) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Invoke:
    """Somebody's function; meanwhile `beat` is run every so many seconds.

    What is awaited is cancelled once `must_stop` says so after a beat.
    """

    function: Callable[[], Any]
    beat: Callable[[], Flow[Any]] | None = None
    every: float = 20.0
    must_stop: Callable[[], bool] | None = None

    def perform(self, http: httpx.Client) -> Any:
        if self.beat is None:
            return self.function()
        ended = threading.Event()

        def keep_beating() -> None:
            while not ended.wait(self.every):
                # A beat that is lost is no reason to stop: the lease says when it is over.
                with contextlib.suppress(Exception):
                    run(self.beat(), http)  # type: ignore[misc]

        beating = threading.Thread(target=keep_beating, name="paraph-heartbeat", daemon=True)
        beating.start()
        try:
            return self.function()
        finally:
            ended.set()
            beating.join(1)

    async def perform_async(self, http: httpx.AsyncClient) -> Any:
        value = self.function()
        if not inspect.isawaitable(value):
            return value
        if self.beat is None:
            return await value
        working: asyncio.Future[Any] = asyncio.ensure_future(value)

        async def keep_beating() -> None:
            while True:
                await asyncio.sleep(self.every)
                with contextlib.suppress(Exception):
                    await run_async(self.beat(), http)  # type: ignore[misc]
                if self.must_stop is not None and self.must_stop():
                    working.cancel()

        beating = asyncio.create_task(keep_beating())
        try:
            return await working
        finally:
            beating.cancel()


def run(flow: Flow[T], http: httpx.Client) -> T:
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if error is None else flow.throw(error)
        except StopIteration as end:
            return cast(T, end.value)
        answer, error = None, None
        try:
            answer = step.perform(http)
        except BaseException as raised:
            error = raised


async def run_async(flow: Flow[T], http: httpx.AsyncClient) -> T:
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = flow.send(answer) if error is None else flow.throw(error)
        except StopIteration as end:
            return cast(T, end.value)
        answer, error = None, None
        try:
            answer = await step.perform_async(http)
        except BaseException as raised:
            error = raised


class Backoff:
    """Waits that double, up to half a minute, each of a random length below that."""

    def __init__(self, first: float = 0.25, most: float = 30.0) -> None:
        self.next, self.most = first, most

    def wait(self, at_least: float = 0.0) -> float:
        seconds = at_least + random.uniform(0, self.next)  # noqa: S311
        self.next = min(self.next * 2, self.most)
        return seconds


def send(request: Request, patience: float) -> Flow[httpx.Response]:
    """The answer, once there is one. Raises ApiError for a refusal, Unavailable for none at all."""
    backoff = Backoff()
    deadline = time.monotonic() + patience
    while True:
        cause: Exception | None = None
        try:
            response = yield request
        except httpx.TransportError as error:
            cause, wait = error, backoff.wait()
            said = f"{type(error).__name__} {error}".strip()
        else:
            if response.status_code not in RETRIED:
                return checked(response)
            wait = backoff.wait(_retry_after(response))
            said = f"status {response.status_code}"
        if time.monotonic() + wait > deadline:
            detail = f"{request.method} {request.path}: the server does not serve it ({said})."
            raise Unavailable(detail) from cause
        yield Pause(wait)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isdecimal() else 0.0


def checked(response: httpx.Response) -> httpx.Response:
    if response.status_code < 400:
        return response
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": response.text[:200]}
    raise ApiError(response.status_code, problem if isinstance(problem, dict) else {})
