"""`manage.py up`: embedded servers, migrations, first user, workers, scheduler, web server."""

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any

import redis

from ops.devserver import DevServerError
from ops.devserver.children import Child
from ops.devserver.console import Console
from ops.devserver.data_dir import DataDir
from ops.devserver.reserve import Reserve
from ops.devserver.runtime import OWNER_KEY, write_runtime
from ops.devserver.servers import EmbeddedServers
from ops.devserver.supervisor import StopRequested, Supervisor

READY_SECONDS = 120
READY_PATH = "/health/ready"
# During the start, a child that has ended so often will not stay up.
HOPELESS_FAILURES = 3
# Each takes some memory, and five connections to the database.
AGENT_WORKERS_MOST = 8


class DevServer:
    def __init__(
        self,
        data_dir: DataDir,
        listener: socket.socket,
        *,
        needs: set[str],
        environment: Mapping[str, str],
        console: Console,
        extension: str = "",
        disk_floor_mb: int = 0,
        agent_concurrency: int = 1,
        sandbox_concurrency: int = 1,
        with_slack: bool = False,
        stop_with_parent: bool = False,
    ) -> None:
        """`needs` names what nobody has set: DATABASE_URL, REDIS_URL, SECRET_KEY."""
        self.data_dir, self.listener, self.console = data_dir, listener, console
        self.needs, self.environment = needs, dict(environment)
        self.disk_floor_mb, self.with_slack = disk_floor_mb, with_slack
        # A process keeps one core busy at most. Together they do as much at once as one would.
        count = min(cores(), AGENT_WORKERS_MOST, agent_concurrency)
        self.agent_shares = [
            {"AGENT_CONCURRENCY": str(tasks), "SANDBOX_CONCURRENCY": str(max(1, programs))}
            for tasks, programs in zip(
                portions(agent_concurrency, count),
                portions(sandbox_concurrency, count),
                strict=True,
            )
        ]
        self.supervisor = Supervisor(console.warn, stop_with_parent=stop_with_parent)
        self.servers = EmbeddedServers(data_dir, needs=needs, extension=extension)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self, began: float) -> int:
        """Until somebody stops it; returns the exit status."""
        self.supervisor.handle_signals()
        try:
            first_start = self.start()
            seconds = time.monotonic() - began
            self.console.ready(self.base_url, self.data_dir.path, first_start, seconds)
            self.supervisor.run()
        except StopRequested:
            return 0
        except DevServerError as error:
            self.console.error(str(error))
            return 1
        finally:
            self.stop()

    def start(self) -> Mapping[str, Any]:
        for server in self.servers.servers.values():
            server.ends_with_parent = True
        self.servers.start(self.supervisor.pause)
        for server in self.servers.servers.values():
            self.supervisor.add(server)
        self.environment |= self.servers.environment()
        if "SECRET_KEY" in self.needs:
            self.environment["SECRET_KEY"] = self.data_dir.secret("secret_key")
        if not self.environment.get("METRICS_DIR"):
            self.environment["METRICS_DIR"] = str(self.data_dir.metrics())
        self.environment["DATA_DIR"] = str(self.data_dir.path)
        folders = [self.data_dir.path]
        if self.servers.servers:
            # As root they are elsewhere, perhaps on another disk.
            folders.append((self.data_dir.path / "servers").resolve())
        reserve = Reserve(folders, self.disk_floor_mb, self.console.warn)
        if not self.environment.get("DISK_FOLDERS"):
            self.environment["DISK_FOLDERS"] = ",".join(map(str, reserve.folders))
        self.supervisor.reserve = reserve
        owner_keys = (OWNER_KEY, f"{OWNER_KEY}_FILE")
        of_the_owner = self.servers.of_the_owner()
        of_the_owner = of_the_owner or {key: self.environment.get(key, "") for key in owner_keys}
        # Servers and workers never get it. Empty variables also keep `.env` from bringing it back.
        self.environment |= dict.fromkeys(owner_keys, "")
        check_redis(self.environment["REDIS_URL"])
        keys = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
        shared = {key: self.environment[key] for key in keys}
        own = self.servers.of_the_owner() | {"BASE_URL": self.base_url}
        write_runtime(self.data_dir.path, shared | own)
        first_start = self.prepare_database(of_the_owner)
        programs = {child.name: child for child in self.programs()}
        # One is enough for the start; more are for more work, and for when one hangs.
        later = [programs.pop(name) for name in list(programs) if name[-1].isdecimal()]
        for child in programs.values():
            self.supervisor.add(child)
        self.wait_until_ready()
        for child in later:
            self.supervisor.add(child)
        return first_start

    def prepare_database(self, of_the_owner: Mapping[str, str]) -> Mapping[str, Any]:
        """Migrate and create the first user, in a process that has the servers' addresses."""
        answer = self.data_dir.path / "first-start.json"
        arguments = ["manage.py", "prepare", f"--answer={answer}"]
        process = self.python_child("migrate", *arguments, stop_seconds=10)
        process.environment = self.environment | of_the_owner
        process.start()
        try:
            while process.is_running():
                self.supervisor.pause(0.1)
        finally:
            process.stop()
        if process.process.returncode != 0:
            raise DevServerError(f"The database could not be prepared:\n{process.last_lines()}")
        try:
            return json.loads(answer.read_text())
        finally:
            # It may hold the first password, which is shown once and kept nowhere.
            answer.unlink(missing_ok=True)

    def programs(self) -> list[Child]:
        celery = ["-m", "celery", "-A", "orchestrator"]

        def worker(name: str, queue: str, pool: str, **environment: str) -> Child:
            options = [f"--queues={queue}", f"--hostname={name}@%h", f"--pool={pool}"]
            options += ["--loglevel=INFO", "--without-gossip", "--without-mingle"]
            command = [*celery, "worker", *options]
            child = self.python_child(name, *command, stop_seconds=20, beats=True)
            child.environment = self.environment | environment
            return child

        # A schedule in memory is enough: every entry may run soon after a start.
        beat = ["beat", "--pidfile=", "--scheduler=celery.beat:Scheduler"]
        # It is handed the bound socket, so the port stays ours when it starts again.
        listener = self.listener.fileno()
        server = ["-m", "orchestrator.server", "--fd", str(listener)]
        slack = self.python_child("slack", "manage.py", "slack", stop_seconds=10, beats=True)
        return [
            worker("engine", "engine", "solo"),
            worker("engine-2", "engine", "solo"),
            worker("sweep", "sweep", "solo"),
            *(
                worker(name, "agents", "threads", **share)
                for name, share in zip(self.agent_names, self.agent_shares, strict=True)
            ),
            self.python_child("scheduler", *celery, *beat, stop_seconds=10, beats=True),
            self.python_child("web", *server, stop_seconds=15, pass_fds=(listener,), beats=True),
            *([slack] if self.with_slack else []),
        ]

    @property
    def agent_names(self) -> list[str]:
        return ["agents", *(f"agents-{number}" for number in range(2, len(self.agent_shares) + 1))]

    def python_child(self, name: str, *arguments: str, **options: Any) -> Child:
        command = [sys.executable, *arguments]
        options |= {"environment": self.environment, "ends_with_parent": True}
        return Child(self.data_dir, name, command, **options)

    def wait_until_ready(self) -> None:
        """Raises DevServerError when a child keeps ending, or the start takes too long."""
        host, port = self.listener.getsockname()
        deadline = time.monotonic() + READY_SECONDS
        while True:
            connection = http.client.HTTPConnection(host, port, timeout=5)
            try:
                connection.request("GET", READY_PATH)
                response = connection.getresponse()
                body = response.read(500).decode(errors="replace")
                if response.status == 200:
                    return
                answer = f"answers {response.status} {body}"
            except (OSError, http.client.HTTPException) as error:
                answer = f"does not answer ({error})"
            finally:
                connection.close()
            if time.monotonic() > deadline:
                raise DevServerError(
                    f"Not ready after {READY_SECONDS} s: {READY_PATH} {answer}. "
                    f"The logs are in {self.data_dir.logs}."
                )
            self.supervisor.tend()
            for child in self.supervisor.children.values():
                if child.failures >= HOPELESS_FAILURES:
                    raise DevServerError(f"{child.name} does not stay up:\n{child.last_lines()}")
            self.supervisor.pause(0.2)

    def stop(self) -> None:
        self.console.stopping()
        # From now on a connection is refused rather than left waiting.
        self.listener.close()
        self.supervisor.stop("web", "scheduler", "slack")
        self.supervisor.stop("engine", "engine-2", "sweep", *self.agent_names)
        self.servers.stop()
        self.data_dir.close()
        self.console.stopped()


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def portions(number: int, count: int) -> list[int]:
    """So many, as equal as can be."""
    return [number // count + (place < number % count) for place in range(count)]


def check_redis(url: str) -> None:
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise DevServerError(f"Redis does not answer; check REDIS_URL. {error}") from error
    finally:
        client.close()
