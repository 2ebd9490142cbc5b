"""Tell listeners that a stream has moved on. A hint only: the database has the events, so a lost one costs nothing.

One thread a process keeps one connection to the channel layer; a writer never waits for it.
Hints of one project that wait to be sent are one: only the newest head matters.
"""

import asyncio
import atexit
import logging
import os
import threading
from uuid import UUID

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

SEND_TIMEOUT_SECONDS = 1.0
FLUSH_TIMEOUT_SECONDS = 0.5


def group_of(project_id: UUID | str) -> str:
    """The channel group of a project's listeners."""
    return f"project_{project_id}"


def publish_hint(project_id: UUID | str, epoch: str, head: int) -> None:
    """Announce a new head, soon, without waiting."""
    _sender().put(str(project_id), epoch, head)


class HintSender:
    """Owns the thread, its event loop and the newest unsent head of each project."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.sent = 0
        self.dropped = 0
        self._waiting: dict[str, tuple[str, int]] = {}
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        threading.Thread(target=self._run, name="hints", daemon=True).start()

    def put(self, project_id: str, epoch: str, head: int) -> None:
        with self._lock:
            self._waiting[project_id] = (epoch, head)
            self._is_idle.clear()
        self._loop.call_soon_threadsafe(self._wake.set)

    def flush(self, timeout: float = FLUSH_TIMEOUT_SECONDS) -> bool:
        """Wait until everything was sent or dropped; False if that took too long."""
        return self._is_idle.wait(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._send_forever())

    async def _send_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                batch, self._waiting = self._waiting, {}
            for project_id, (epoch, head) in batch.items():
                await self._send(project_id, epoch, head)
            with self._lock:
                if not self._waiting:
                    self._is_idle.set()

    async def _send(self, project_id: str, epoch: str, head: int) -> None:
        message = {"type": "stream.hint", "project": project_id, "epoch": epoch, "head": head}
        try:
            send = get_channel_layer().group_send(group_of(project_id), message)
            await asyncio.wait_for(send, SEND_TIMEOUT_SECONDS)
            self.sent += 1
        except Exception as error:
            # Whatever keeps the news from going out, the writer's work is done and safe.
            self.dropped += 1
            logger.warning("hint dropped", extra={"project": project_id, "error": repr(error)})


_current: HintSender | None = None
_start = threading.Lock()


def _sender() -> HintSender:
    global _current
    if _current is None or _current.pid != os.getpid():
        with _start:
            if _current is None or _current.pid != os.getpid():
                _current = HintSender()
    return _current


@atexit.register
def _flush_at_exit() -> None:
    if _current is not None and _current.pid == os.getpid():
        _current.flush()
