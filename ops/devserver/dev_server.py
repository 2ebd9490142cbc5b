"""One machine's start, life and stop: servers, migrations, first user, workers, scheduler, web."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis

from ops.devserver import LocalError
from ops.devserver.children import Keeper, StopRequested
from ops.devserver.console import Console
from ops.devserver.data_dir import DataFolder
from ops.devserver.processes import spawn, tail
from ops.devserver.programs import programs
from ops.devserver.runtime import PROJECT_DIR, write_runtime
from ops.devserver.servers import LocalServers
from orchestrator.environment import with_secrets

READY_SECONDS = 120
HOPELESS_FAILURES = 3
READY_PATH = "/health/ready"


@dataclass
class Machine:
    folder: DataFolder
    listener: socket.socket
    # Which of DATABASE_URL, REDIS_URL and SECRET_KEY nobody has set.
    needs: set[str]
    console: Console
    began: float
    # What the embedded database is to have beside what is built in.
    extension: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> int:
        """The life of the keeper; returns the exit status."""
        self.keeper = Keeper(self.console.news)
        self.servers = LocalServers(self.folder, needs=self.needs, extension=self.extension)
        try:
            self._start()
            self.keeper.keep()
        except StopRequested:
            pass
        except LocalError as error:
            self.console.failure(str(error))
            return 1
        finally:
            self._stop()
        return 0

    def _start(self) -> None:
        self.servers.start()
        for server in self.servers.servers.values():
            self.keeper.add(server)
        self._settle_environment()
        first_start = self._prepare()
        for program in programs(self.folder, environment=self.environment, listener=self.listener):
            self.keeper.add(program)
        self._await_ready()
        # From here a stop must not cut a line in half.
        self.keeper.is_starting = False
        seconds = time.monotonic() - self.began
        self.console.ready(self.base_url, self.folder.path, first_start, seconds)

    def _settle_environment(self) -> None:
        made = self.servers.environment()
        if "SECRET_KEY" in self.needs:
            made["SECRET_KEY"] = self.folder.secret("secret_key")
        made["METRICS_DIR"] = os.environ.get("METRICS_DIR") or str(self.folder.metrics())
        given = with_secrets(os.environ)
        self.environment = {**given, **made, "DATA_DIR": str(self.folder.path)}
        _check_redis(self.environment["REDIS_URL"])
        write_runtime(self.folder.path, self._runtime())

    def _runtime(self) -> dict[str, str]:
        keys = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
        return {key: self.environment[key] for key in keys} | {"BASE_URL": self.base_url}

    def _prepare(self) -> Mapping[str, Any]:
        """Migrations and the first user, in a process that knows the servers."""
        answer = self.folder.path / "first-start.json"
        log = self.folder.log("migrate")
        process = spawn(
            [sys.executable, "manage.py", "prepare", f"--answer={answer}"],
            log=log,
            cwd=PROJECT_DIR,
            env=self.environment,
        )
        self._await_exit(process)
        if process.returncode != 0:
            raise LocalError(f"The database could not be prepared:\n{tail(log)}\nMore is in {log}.")
        try:
            return json.loads(answer.read_text())
        finally:
            # It may hold the first password, which is shown once and kept nowhere.
            answer.unlink(missing_ok=True)

    def _await_exit(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait()
        except StopRequested:
            process.terminate()
            process.wait()
            raise

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        status, answer = self._ask()
        while status != 200:
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Not ready after {READY_SECONDS} s: {READY_PATH} answers "
                    f"{status or 'nothing'} {answer}. The logs are in {self.folder.logs}."
                )
            self.keeper.tend()
            self._give_up_on_a_hopeless_one()
            time.sleep(0.2)
            status, answer = self._ask()

    def _give_up_on_a_hopeless_one(self) -> None:
        for ward in self.keeper.wards.values():
            if ward.failures >= HOPELESS_FAILURES:
                log = ward.child.log
                raise LocalError(
                    f"{ward.child.name} does not stay up:\n{tail(log)}\nMore is in {log}."
                )

    def _ask(self) -> tuple[int, str]:
        host, port = self.listener.getsockname()
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", READY_PATH)
            response = connection.getresponse()
            return response.status, response.read(500).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def _stop(self) -> None:
        self.keeper.is_starting = False
        self.console.stopping()
        # From now on a connection is refused rather than left waiting.
        self.listener.close()
        self.keeper.stop("web", "scheduler")
        self.keeper.stop("engine", "agents")
        self.keeper.stop("redis", is_patient=True)
        self.keeper.stop("postgres", is_patient=True)
        self.servers.stop()
        self.keeper.end_strays()
        self.folder.close()
        self.console.stopped()


def _check_redis(url: str) -> None:
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise LocalError(f"Redis does not answer. Check REDIS_URL. It said: {error}") from error
    finally:
        client.close()
