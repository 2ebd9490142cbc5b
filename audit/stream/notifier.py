"""Tell server processes that a stream has moved on. A hint only: the database has the events.

One thread a process keeps one connection to Redis; a writer never waits for it. Of the hints for
one project that wait only the newest counts, so without Redis they stay few.
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from typing import Any
from uuid import UUID

from audit.metrics import HINTS
from audit.stream.publisher import Message, Publisher

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
# After a round the next one waits this long, so that the several events of a step are one hint.
PAUSE_SECONDS = 0.005
FLUSH_TIMEOUT_SECONDS = 0.5
MAX_EPHEMERAL = 1000
INBOX_GROUP = "inbox"


def group_of(project_id: UUID | str) -> str:
    """The channel group of a project's listeners."""
    return f"project_{project_id}"


def publish_hint(project_id: UUID | str, epoch: str, head: int) -> None:
    """Announce a new head, soon, without waiting."""
    _notifier().notify(str(project_id), epoch, head)


def publish_inbox_hint() -> None:
    """Announce that what waits for somebody may have changed."""
    _notifier().notify_inbox()


def publish_ephemeral(project_id: UUID | str, content: dict[str, Any]) -> None:
    """Send listeners something that nobody keeps, as progress or partial output.

    It may be lost anywhere on its way. What matters is recorded instead.
    """
    _notifier().send_ephemeral(str(project_id), content)


def hint_counts() -> dict[str, int]:
    """Of this process: messages that went out, and attempts that failed."""
    notifier = _current
    if notifier is None:
        return {"sent": 0, "failed": 0}
    return {"sent": notifier.sent, "failed": notifier.failed}


class StreamNotifier:
    """Owns the thread, its connection and the newest unsent head of each project."""

    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self._publisher: Publisher | None = None
        self._heads: dict[str, tuple[str, int]] = {}
        self._ephemeral: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_EPHEMERAL)
        self._is_inbox_waiting = False
        self._lock = threading.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._wake = threading.Event()
        threading.Thread(target=self._send_forever, name="hints", daemon=True).start()

    def notify(self, project_id: str, epoch: str, head: int) -> None:
        with self._lock:
            self._keep_newest(project_id, epoch, head)
            self._is_idle.clear()
        self._wake.set()

    def notify_inbox(self) -> None:
        self._is_inbox_waiting = True
        self._wake.set()

    def send_ephemeral(self, project_id: str, content: dict[str, Any]) -> None:
        with self._lock:
            self._ephemeral.append((project_id, content))
        self._wake.set()

    def flush(self, timeout: float = FLUSH_TIMEOUT_SECONDS) -> bool:
        """Wait until every hint was sent; False if that took too long."""
        return self._is_idle.wait(timeout)

    def _keep_newest(self, project_id: str, epoch: str, head: int) -> None:
        """Hooks of two commits may run in the other order than the commits."""
        waiting = self._heads.get(project_id)
        if waiting is None or waiting[0] != epoch or waiting[1] < head:
            self._heads[project_id] = (epoch, head)

    def _send_forever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if not self._send_all():
                time.sleep(RETRY_SECONDS)
                self._wake.set()
            time.sleep(PAUSE_SECONDS)

    def _send_all(self) -> bool:
        """All that waits, in one round trip. What nobody keeps is lost where Redis is away."""
        with self._lock:
            heads, self._heads = self._heads, {}
            ephemeral = [*self._ephemeral]
            self._ephemeral.clear()
            is_inbox_waiting, self._is_inbox_waiting = self._is_inbox_waiting, False
        messages: list[Message] = [
            (
                group_of(project),
                {"type": "stream.hint", "project": project, "epoch": epoch, "head": head},
            )
            for project, (epoch, head) in heads.items()
        ]
        if is_inbox_waiting:
            messages.append((INBOX_GROUP, {"type": "stream.inbox"}))
        messages += [
            (
                group_of(project),
                {"type": "stream.ephemeral", "project": project, "content": content},
            )
            for project, content in ephemeral
        ]
        if messages and not self._publish(messages):
            self._put_back(heads)
            return not heads
        with self._lock:
            if not self._heads:
                self._is_idle.set()
        return True

    def _put_back(self, heads: dict[str, tuple[str, int]]) -> None:
        with self._lock:
            newer, self._heads = self._heads, heads
            for project_id, (epoch, head) in newer.items():
                self._keep_newest(project_id, epoch, head)

    def _publish(self, messages: list[Message]) -> bool:
        try:
            self._publisher = self._publisher or Publisher()
            self._publisher.publish(messages)
        except Exception as error:
            # Whatever keeps the news from going out, the writer's work is done and safe.
            self._publisher = None
            self.failed += 1
            HINTS.labels("failed").inc()
            log = logger.warning if self.failed % 100 == 1 else logger.debug
            log("hint not sent", extra={"group": messages[0][0], "error": repr(error)})
            return False
        self.sent += len(messages)
        HINTS.labels("sent").inc(len(messages))
        return True


_current: StreamNotifier | None = None
_start = threading.Lock()


def _notifier() -> StreamNotifier:
    global _current
    if _current is None:
        with _start:
            if _current is None:
                _current = StreamNotifier()
    return _current


def _forget_after_fork() -> None:
    """A forked worker has neither the thread nor a lock that another thread held."""
    global _current, _start
    _current, _start = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


@atexit.register
def _flush_at_exit() -> None:
    if _current is not None:
        _current.flush()
