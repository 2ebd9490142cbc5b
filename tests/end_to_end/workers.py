"""A real Celery worker with its child processes, and the scheduler that sweeps every second."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from redis import Redis

from ops.devserver.dev_server import SOFT_SHUTDOWN
from tests.audit.live import test_database_url

T = TypeVar("T")

OPTIONS = ["-Q", "engine,agents", "--without-gossip", "--without-mingle", "--beat"]
STOP_SECONDS = 20
LONG_SECONDS = 50


def eventually(fact: Callable[[], T], seconds: float = LONG_SECONDS) -> T:
    """What the fact becomes once it is one."""
    limit = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < limit, "it did not become so"
        time.sleep(0.02)
    return found


def empty_queues() -> None:
    """What other tests rang for in vain, and what workers that were killed had not acknowledged."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with contextlib.closing(Redis.from_url(settings.REDIS_URL)) as redis:
        names = ("engine", "agents", "unacked", "unacked_index")
        redis.delete(*(f"{prefix}{name}" for name in names))


class Worker:
    """A process group of its own, so that a kill takes all of it."""

    def __init__(self, folder: Path, *, processes: int = 2, **environment: str) -> None:
        command = [sys.executable, "-m", "celery", "-A", "orchestrator", "worker", *OPTIONS]
        own = ["-c", str(processes), "-s", str(folder / "beat"), "-n", f"{folder.name}@test"]
        self.log = folder / "worker.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *own, "-l", "INFO"],
                env=os.environ
                | {
                    "DATABASE_URL": test_database_url(),
                    "DJANGO_SETTINGS_MODULE": "tests.end_to_end.quick_settings",
                }
                | SOFT_SHUTDOWN
                | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text()

    def is_ready(self) -> bool:
        return " ready." in self.output()

    def kill(self) -> None:
        """Parent, children and scheduler at once, as a lost machine is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """By SIGTERM, as an operator does."""
        self.process.terminate()
        self.process.wait(STOP_SECONDS)
