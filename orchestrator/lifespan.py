"""Asks listeners to leave at SIGTERM, before the server closes its connections.

An ASGI server reports its shutdown only when all connections are gone. So the signal is handled
here first and passed on afterwards; the server then finishes what is being answered.
"""

import asyncio
import faulthandler
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from core import heartbeat

# After this a thread hangs, say in a database lock: log where, and exit.
HANGING_SECONDS = 8


class Lifespan:
    """ASGI, for the scope `lifespan`."""

    def __init__(self, before_shutdown: Callable[[], Awaitable[None]]) -> None:
        self.before_shutdown = before_shutdown
        self._servers_handlers: dict[int, Any] = {}
        self._leaving: asyncio.Task | None = None

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        await receive()
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                self._servers_handlers[number] = signal.signal(
                    number, lambda number, _: loop.call_soon_threadsafe(self._leave, number)
                )
        heartbeat.begin()
        beating = asyncio.create_task(beat_for_ever())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        beating.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    def _leave(self, number: int) -> None:
        if self._leaving is None:
            faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
            self._leaving = asyncio.ensure_future(self.before_shutdown())
            self._leaving.add_done_callback(lambda _: self._servers_handlers[number](number, None))
        else:
            # The second signal: let the server stop at once.
            self._servers_handlers[number](number, None)


async def beat_for_ever() -> None:
    """From the event loop, which hands out all that the server does."""
    while True:
        heartbeat.beat()
        await asyncio.sleep(heartbeat.BEAT_SECONDS)
