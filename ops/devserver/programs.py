"""The programs of ours that `up` keeps alive beside the servers."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.devserver.data_dir import DataFolder, private_dir
from ops.devserver.processes import spawn
from ops.devserver.runtime import PROJECT_DIR

# With this, SIGTERM lets a worker finish for its soft shutdown time and then hand back the rest.
SOFT_STOP = {"REMAP_SIGTERM": "SIGQUIT"}


@dataclass
class Program:
    name: str
    arguments: list[str]
    log: Path
    environment: Mapping[str, str]
    stop_seconds: float
    pass_fds: tuple[int, ...] = ()
    stale: list[Path] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    stop_signal = signal.SIGTERM

    def relaunch(self) -> None:
        for path in self.stale:
            path.unlink(missing_ok=True)
        self.process = spawn(
            [sys.executable, *self.arguments],
            log=self.log,
            cwd=PROJECT_DIR,
            env=self.environment,
            death_signal=self.stop_signal,
            pass_fds=self.pass_fds,
        )


def programs(
    folder: DataFolder, *, environment: Mapping[str, str], listener: socket.socket
) -> list[Program]:
    cores = os.cpu_count() or 1
    return [
        _worker(folder, "engine", 1, environment),
        _worker(folder, "agents", max(2, cores), environment),
        _scheduler(folder, environment),
        _web(folder, environment, listener),
    ]


def _worker(
    folder: DataFolder, queue: str, processes: int, environment: Mapping[str, str]
) -> Program:
    options = [f"--queues={queue}", f"--hostname={queue}@%h", f"--concurrency={processes}"]
    return Program(
        name=queue,
        arguments=[
            *("-m", "celery", "-A", "orchestrator", "worker", "--pool=prefork", *options),
            *("--loglevel=INFO", "--without-gossip", "--without-mingle"),
        ],
        log=folder.log(queue),
        environment=environment | SOFT_STOP,
        stop_seconds=20,
    )


def _scheduler(folder: DataFolder, environment: Mapping[str, str]) -> Program:
    # Every entry may run at once after a start, so a schedule that a crash has torn is no loss.
    home = private_dir(folder.path / "scheduler")
    return Program(
        name="scheduler",
        arguments=[
            *("-m", "celery", "-A", "orchestrator", "beat", "--pidfile="),
            f"--schedule={home / 'schedule'}",
        ],
        log=folder.log("scheduler"),
        environment=environment,
        stop_seconds=10,
        stale=list(home.glob("schedule*")),
    )


def _web(folder: DataFolder, environment: Mapping[str, str], listener: socket.socket) -> Program:
    """It is handed the bound socket, so the port stays ours when it starts again."""
    number = listener.fileno()
    return Program(
        name="web",
        arguments=[
            *("-m", "daphne", "--fd", str(number)),
            # The product has its own lines of requests; Daphne's show paths with their queries.
            *("--access-log", os.devnull),
            "orchestrator.asgi:application",
        ],
        log=folder.log("web"),
        environment=environment,
        stop_seconds=15,
        pass_fds=(number,),
    )
