"""A web server that is asked to stop finishes what it is answering, and then ends.

By itself Daphne drops every request at once; a thread that still waits for the event loop then
waits for ever, and the process with it, without its port.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

FINISH_SECONDS = 5.0
END_SECONDS = 3.0
LOOK_SECONDS = 0.02

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Leaving:
    """Counts the requests that are being answered. At SIGTERM they get a while, then all ends."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.answering = 0
        self._is_listening = False
        self._is_leaving = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self._listen()
        self.answering += 1
        try:
            await self.application(scope, receive, send)
        finally:
            self.answering -= 1

    def _listen(self) -> None:
        """Under another server than Daphne's, or outside of its thread, signals are not ours."""
        reactor = sys.modules.get("twisted.internet.reactor")
        is_ours = threading.current_thread() is threading.main_thread()
        if self._is_listening or not is_ours or not getattr(reactor, "running", False):
            return
        self._is_listening = True
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._leave, reactor)

    def _leave(self, reactor: Any) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self._finishing = asyncio.ensure_future(self._finish(reactor))

    async def _finish(self, reactor: Any) -> None:
        deadline = time.monotonic() + FINISH_SECONDS
        while self.answering and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        threading.Thread(target=_end, name="leaving", daemon=True).start()
        reactor.stop()


def _end() -> None:
    """For what would hold up an orderly end for ever."""
    time.sleep(END_SECONDS)
    os._exit(0)
