"""One event loop a process, in a thread of its own, on which all calls of models run.

The client of a provider is bound to the loop that made it. So each endpoint has one client here,
whose connections are used again, however many threads wait for their calls.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_start = threading.Lock()
# Used on the loop only.
_clients: dict[Hashable, Any] = {}
_open_clients = AsyncExitStack()


def event_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _start:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="model-calls", daemon=True).start()
        return _loop


def run_on_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Its result, for which this thread waits. It sees the context variables of this thread."""
    future = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    try:
        return future.result()
    except BaseException:
        # Where the wait was interrupted, as by Celery's time limit, nobody wants it any more.
        future.cancel()
        raise


async def shared_client(key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]]) -> T:
    """The client for `key`, made when it is first asked for. Raises RuntimeError off the loop."""
    if asyncio.get_running_loop() is not _loop:
        raise RuntimeError("Clients of providers are used on one event loop: see run_on_loop.")
    if key not in _clients:
        _clients[key] = client = make()
        await _open_clients.enter_async_context(client)
    return _clients[key]


def close_clients(seconds: float) -> None:
    """Close all connections to providers: the process ends. Raises TimeoutError."""
    if _loop is not None:
        asyncio.run_coroutine_threadsafe(_open_clients.aclose(), _loop).result(seconds)


def _forget_after_fork() -> None:
    """A forked child has neither the thread nor the connections."""
    global _loop, _start, _open_clients
    _loop, _start, _open_clients = None, threading.Lock(), AsyncExitStack()
    _clients.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
