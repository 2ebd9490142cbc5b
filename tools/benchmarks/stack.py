"""The real parts on this machine: PostgreSQL, Redis and the workers."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ops.devserver.data_dir import open_data_dir
from ops.devserver.servers import EmbeddedServers
from ops.devserver.valkey import free_port

WORKER_PROCESSES = 2


@contextmanager
def servers(kept: str = "") -> Iterator[None]:
    """PostgreSQL and Redis as `manage.py up` runs them, unless the environment names others.

    `kept` is a folder that stays; else all is gone afterwards.
    """
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tools.benchmarks.settings"
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    needs = {key for key in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(key)}
    fresh = tempfile.TemporaryDirectory(prefix="paraph-bench-")
    with nullcontext(kept) if kept else fresh as home:
        Path(home).mkdir(exist_ok=True)
        Path(home).chmod(0o711)
        data_dir = open_data_dir(Path(home) / "data", system_dir=Path(home))
        local = EmbeddedServers(data_dir, needs=needs)
        local.start()
        os.environ.update(local.environment() | local.of_the_owner())
        try:
            yield
        finally:
            local.stop()
            data_dir.close()


def owner_url() -> str:
    """For tables and databases of a benchmark's own: the application may make none."""
    return os.environ.get("MIGRATION_DATABASE_URL") or os.environ["DATABASE_URL"]


@contextmanager
def worker(agents: int = WORKER_PROCESSES, **environment: str) -> Iterator[None]:
    """Workers as the product runs them: agents' tasks in threads, all else in two processes.

    `agents`: so many processes for agents' tasks.
    """
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "worker", "-l", "WARNING"]
    flags = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    workers = {"engine": ["-Q", "engine", "-c", str(WORKER_PROCESSES)]}
    for number in range(agents):
        workers[f"agents-{number}"] = ["-Q", "agents", "--pool=threads"]
    processes = [
        subprocess.Popen(
            [*command, f"--hostname={name}@%h", *options, *flags], env=os.environ | environment
        )
        for name, options in workers.items()
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


@dataclass(frozen=True)
class WebServer:
    port: int
    pid: int


def server_command(server: str, port: int, application: str) -> list[str]:
    if server == "daphne":
        options = ["-b", "127.0.0.1", "-p", str(port), "-v", "0", "--access-log", os.devnull]
        return [sys.executable, "-m", "daphne", *options, application]
    options = ["--port", str(port), "--application", application]
    return [sys.executable, "-m", "orchestrator.server", *options]


@contextmanager
def web_server(application: str, server: str) -> Iterator[WebServer]:
    """One server process on a free port, as `manage.py up` runs it."""
    port = free_port()
    command = server_command(server, port, application)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for_port(port)
        yield WebServer(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_port(port: int, seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
