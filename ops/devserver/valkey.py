"""The embedded Redis (Valkey): a port of its own, password, append-only file, no eviction."""

import os
import random
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import redis

from ops.devserver import LocalError
from ops.devserver.data_dir import DataFolder
from ops.devserver.processes import await_answer, end_leftovers, spawn, stop
from ops.devserver.software import valkey_program

# Below the range that systems hand out to outgoing connections, so a restart finds its port free.
PORTS = range(20_000, 32_000)
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir .
daemonize no
databases 64
maxmemory-policy noeviction
appendonly yes
appendfsync {appendfsync}
save ""
loglevel notice
"""


@dataclass
class Valkey:
    folder: DataFolder
    is_durable: bool = True
    port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None

    name = "redis"
    stop_signal = signal.SIGTERM
    stop_seconds = 20.0

    @property
    def url(self) -> str:
        return f"redis://:{self.folder.secret('redis')}@127.0.0.1:{self.port}/0"

    @property
    def data(self) -> Path:
        return self.folder.server_dir("valkey")

    @property
    def log(self) -> Path:
        return self.folder.log(self.name)

    def start(self) -> None:
        """Returns when it answers."""
        self.relaunch()
        await_answer(self.answers, process=self.process, log=self.log, name="Redis", seconds=60)

    def launch(self) -> None:
        program = valkey_program(self.folder.account)
        self.process = spawn(
            [program, str(self._configuration())],
            log=self.log,
            cwd=self.data,
            env={"PATH": os.defpath, "TZ": "UTC"},
            account=self.folder.account,
            death_signal=self.stop_signal,
        )

    def relaunch(self) -> None:
        end_leftovers("valkey-server", self.data, how=self.stop_signal)
        self.launch()

    def stop(self) -> None:
        if self.process:
            stop(self.process, how=self.stop_signal, grace=self.stop_seconds)

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()

    def _configuration(self) -> Path:
        """In a file, for other users can read a command line."""
        path = self.data / "valkey.conf"
        self.folder.write_for_server(path, self._configuration_text())
        return path

    def _configuration_text(self) -> str:
        return CONFIGURATION.format(
            port=self.port,
            password=self.folder.secret("redis"),
            appendfsync="everysec" if self.is_durable else "no",
        )


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalError(
        f"No free port between {PORTS.start} and {PORTS.stop} for Redis; set REDIS_URL."
    )
