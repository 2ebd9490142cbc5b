"""Watches for emergency stops in every process that may call models.

Two threads: one looks into the database, each second and whenever the other one hears a hint.
It obeys as long as a stop stands, so that work which slipped in is found a second later.
"""

import logging
import os
import threading
import time
from uuid import UUID

import redis
from django.conf import settings
from django.db import Error as DatabaseAway
from django.db import connection

from agents.services import (
    acknowledge_stops,
    active_stops,
    hand_back_task,
    report_worker,
    stopped_among,
)
from agents.stops.pubsub import listen_for_stop_hints
from agents.worker.lease import get_heart
from audit.request_context import origin

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5
RETRY_SECONDS = 1
# How long a look waits for interrupted work to end; the next look goes on waiting.
LEAVING_SECONDS = 1


class Watch:
    """One a process. `worker` is the name under which the process claims tasks."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._hint = threading.Event()
        self._leaving: dict[UUID, int] = {}
        self._ended = threading.Event()
        self._report_at = 0.0
        self.is_listening = False
        self._looker = threading.Thread(target=self._look_forever, name="watch", daemon=True)
        self._looker.start()
        threading.Thread(target=self._listen_forever, name="stop-hints", daemon=True).start()

    def _look_forever(self) -> None:
        with origin(channel="worker"):
            while not self._ended.is_set():
                self._hint.clear()
                try:
                    self.look()
                except DatabaseAway as error:
                    logger.warning("watch failed", extra={"error": repr(error)})
                    connection.close()
                except Exception:
                    # A watch that ends is a worker that cannot be stopped.
                    logger.exception("watch failed")
                    connection.close()
                self._hint.wait(settings.STOP_POLL_SECONDS)
        connection.close()

    def end(self) -> None:
        """For tests: a process ends with its watch."""
        self._ended.set()
        self._hint.set()
        self._looker.join()

    def look(self) -> None:
        """One look: report, obey, acknowledge."""
        if time.monotonic() >= self._report_at:
            report_worker(self.worker)
            self._report_at = time.monotonic() + REPORT_SECONDS
        stops = active_stops(self.worker)
        if not stops:
            self._leaving = {}
            return
        has_stopped = self._stop_work()
        due = [stop for stop, is_due in stops.items() if is_due]
        if due and has_stopped:
            acknowledge_stops(self.worker, due)

    def _stop_work(self) -> bool:
        """Interrupt what may not go on and give it back; whether it has ended."""
        heart = get_heart()
        at_work = heart.claims_at_work()
        stopped = stopped_among(at_work)
        heart.interrupt(stopped)
        for task_id in stopped:
            self._leaving[task_id] = at_work[task_id]
            hand_back_task(task_id=task_id, fence=at_work[task_id], cause="emergency_stop")
        return heart.wait_until_left(self._leaving, LEAVING_SECONDS)

    def _listen_forever(self) -> None:
        while not self._ended.is_set():
            try:
                listen_for_stop_hints(self._hear)
            except (redis.RedisError, OSError) as error:
                logger.debug("stop hints not heard", extra={"error": repr(error)})
            except Exception:
                logger.exception("stop hints not heard")
            time.sleep(RETRY_SECONDS)

    def _hear(self) -> None:
        """At each hint, and when there is a connection, for what came before it."""
        self.is_listening = True
        self._hint.set()


_watch: tuple[int, Watch] | None = None


def keep_watch(worker: str) -> None:
    """Start watching in this process, once."""
    global _watch
    if _watch is None or _watch[0] != os.getpid():
        _watch = os.getpid(), Watch(worker)
