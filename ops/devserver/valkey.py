"""The embedded Redis (Valkey): a port of its own, password, append-only file, no eviction."""

import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

import redis

from ops.devserver import DevServerError
from ops.devserver.binaries import valkey_program
from ops.devserver.children import Child
from ops.devserver.data_dir import DataDir
from ops.devserver.processes import end_programs_in

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


class Valkey(Child):
    def __init__(self, data_dir: DataDir, *, is_durable: bool = True) -> None:
        super().__init__(
            data_dir,
            "redis",
            environment={"PATH": os.defpath, "TZ": "UTC"},
            account=data_dir.account,
            stop_seconds=20,
        )
        self.is_durable = is_durable
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"redis://:{self.data_dir.secret('redis')}@127.0.0.1:{self.port}/0"

    @property
    def data(self) -> Path:
        return self.data_dir.server_dir("valkey")

    def start(self) -> None:
        end_programs_in(self.data, "valkey-server", self.stop_signal)
        # In a file, because other users can read a command line.
        configuration = self.data / "valkey.conf"
        self.data_dir.write_for_server(
            configuration,
            CONFIGURATION.format(
                port=self.port,
                password=self.data_dir.secret("redis"),
                appendfsync="everysec" if self.is_durable else "no",
            ),
        )
        self.arguments = [valkey_program(self.account), str(configuration)]
        self.cwd = self.data
        super().start()

    def start_and_wait(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Returns when it answers."""
        self.start()
        self.wait_until(self.answers, 60, pause)

    def answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DevServerError(
        f"No free port between {PORTS.start} and {PORTS.stop} for Redis; set REDIS_URL."
    )
