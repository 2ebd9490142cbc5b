"""The end of a worker with threads, which waits for no call of a model.

Celery would wait until every thread has ended. So the signal is handled here first: the calls are
cancelled and the tasks handed back, then Celery stops its consumer and its pool.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from celery.platforms import EX_FAILURE, EX_OK
from celery.worker import state

from agents.providers.event_loop import close_clients
from agents.services import hand_back
from agents.worker.lease import cancel_all_work
from audit.request_context import origin
from core.database import use_connection_outside_pool
from core.log_fields import log_fields

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
CLOSE_SECONDS = 0.5
# Longer than it takes to hand back what a thousand threads work on.
PATIENCE_SECONDS = 20.0


class GracefulShutdown:
    """Begins with the first signal, or when Celery stops for another reason; a second one kills."""

    def __init__(self, worker_prefix: str, wake_worker: Callable[[], object]) -> None:
        self._worker_prefix = worker_prefix
        self._wake_worker = wake_worker
        self._is_begun = False
        self._begin = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shutdown", daemon=True)
        self._thread.start()

    @property
    def is_begun(self) -> bool:
        return self._is_begun

    def handle_signals(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._begin.set()

    def wait(self) -> None:
        self._thread.join(PATIENCE_SECONDS)

    def _on_signal(self, number: int, frame: Any) -> None:
        """In the middle of whatever the main thread does: no lock, no log, no database."""
        if self._is_begun:
            os._exit(EX_FAILURE)
        self.begin()
        # Celery's own handler for a warm shutdown does no more.
        state.should_stop = EX_OK

    def _run(self) -> None:
        self._begin.wait()
        began = time.monotonic()
        self._wake_worker()
        cancel_all_work()
        try:
            # What a library does at the end of a call it may do for a while; connections go now.
            close_clients(CLOSE_SECONDS)
        except Exception as error:
            logger.warning("connections to models not closed", extra={"error": repr(error)})
        use_connection_outside_pool()
        with origin(channel="worker"), log_fields(channel="worker"):
            try:
                count = hand_back(worker_prefix=self._worker_prefix)
            except Exception:
                # Celery's end tries once more; after that the leases run out.
                logger.exception("tasks not handed back")
                return
            seconds = round(time.monotonic() - began, 2)
            logger.info("tasks handed back", extra={"tasks": count, "seconds": seconds})
