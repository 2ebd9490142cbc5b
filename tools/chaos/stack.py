"""The real parts on this machine, each of which may be killed, stopped or started anew."""

import ctypes
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from core.failpoints import POINTS
from ops.devserver.children import Child
from ops.devserver.data_dir import DataDir, private_dir
from ops.devserver.servers import EmbeddedServers
from ops.devserver.supervisor import Supervisor
from ops.devserver.valkey import free_port

WORKERS, WEBS = ("worker1", "worker2"), ("web1", "web2")
# With this, SIGTERM lets a prefork worker finish for a while and then hand back the rest.
SOFT_SHUTDOWN = {"REMAP_SIGTERM": "SIGQUIT"}
PR_SET_CHILD_SUBREAPER = 36
TICK_SECONDS = 0.05
TEND_SECONDS = 0.25
START_SECONDS = 30
# Variables of environment by worker.
Dress = dict[str, dict[str, str]]


def both(**variables: str) -> Dress:
    return dict.fromkeys(WORKERS, variables)


class OutOfTime(Exception):
    """The campaign has used up its bound."""


class Stack:
    def __init__(self, folder: DataDir, home: Path) -> None:
        self.folder, self.home = folder, home
        self.news: list[str] = []
        self.left: list[str] = []
        # Orphans become children of ours, so that `stop` sees what was left running.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        self.servers = EmbeddedServers(folder, needs={"DATABASE_URL", "REDIS_URL"})
        self.supervisor = Supervisor(self.news.append)
        self.ports = [free_port() for _ in WEBS]
        self.environment: dict[str, str] = {}
        self.undressed: Dress = {}
        self.dressed: Dress = {}
        self._tended = 0.0
        self.deadline = float("inf")

    def start_servers(self) -> None:
        self.servers.start()
        for server in self.servers.servers.values():
            self.supervisor.add(server)
        own = {"SECRET_KEY": secrets.token_urlsafe(50), "CHAOS_HOME": str(self.home)}
        own |= {"DJANGO_SETTINGS_MODULE": "tools.chaos.settings", "LOG_LEVEL": "INFO"}
        # Receivers of notifications are on this machine.
        own |= {"WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
        os.environ.update(self.servers.environment() | own)
        # Servers and workers are the application; what breaks things here may be the owner.
        self.environment = dict(os.environ)
        os.environ.update(self.servers.of_the_owner())

    @property
    def postgres(self) -> Any:
        return self.servers.servers["DATABASE_URL"]

    @property
    def redis(self) -> Any:
        return self.servers.servers["REDIS_URL"]

    def start_programs(self) -> None:
        for name in WORKERS:
            worker = self._worker(name)
            self.undressed[name] = dict(worker.environment)
            self.supervisor.add(worker)
        self.supervisor.add(self._scheduler())
        for name, port in zip(WEBS, self.ports, strict=True):
            self.supervisor.add(self._web(name, port))

    def _environment(self, kind: str) -> dict[str, str]:
        tokens = private_dir(private_dir(self.home / "tokens") / kind)
        plan = ",".join(f"{point}:1" for point in POINTS)
        faults = {"FAULT": plan, "FAULT_TOKENS": str(tokens)}
        return self.environment | faults | {"PYTHONPATH": str(Path(__file__).parent / "skew")}

    def _program(self, name: str, kind: str, arguments: list[str], **options: Any) -> Child:
        return Child(
            self.folder,
            name,
            [sys.executable, "-m", *arguments],
            environment=self._environment(kind) | options.pop("environment", {}),
            **options,
        )

    def _worker(self, name: str) -> Child:
        celery = ["celery", "-A", "orchestrator", "worker", "--pool=prefork", "--concurrency=2"]
        flags = ["--without-gossip", "--without-mingle", "--loglevel=INFO"]
        queues = ["--queues=engine,agents,sweep", f"--hostname={name}@%h"]
        options = {"environment": SOFT_SHUTDOWN, "stop_seconds": 20}
        return self._program(name, "worker", [*celery, *queues, *flags], **options)

    def _scheduler(self) -> Child:
        beat = ["celery", "-A", "orchestrator", "beat", "--pidfile="]
        beat += ["--scheduler=celery.beat:Scheduler"]
        return self._program("scheduler", "scheduler", beat, stop_seconds=10)

    def _web(self, name: str, port: int) -> Child:
        server = ["orchestrator.server", "--port", str(port)]
        return self._program(name, "web", server, stop_seconds=15)

    def process(self, name: str) -> psutil.Process:
        return psutil.Process(self.supervisor.children[name].process.pid)

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        """One that fell just now is started again first."""
        self.until(lambda: self.supervisor.children[name].process.poll() is None, START_SECONDS)
        self.process(name).send_signal(how)

    def children(self, name: str) -> list[psutil.Process]:
        return self.process(name).children()

    def dress(self, wanted: Dress) -> bool:
        """Workers get these variables and no others of ours; whether one was started anew for it.

        By SIGTERM; they are back when this returns, ready or not.
        """
        changed = [name for name in WORKERS if wanted.get(name, {}) != self.dressed.get(name, {})]
        self.supervisor.stop(*changed)
        for name in changed:
            worker, own = self.supervisor.children[name], wanted.get(name, {})
            worker.environment = self.undressed[name] | own
            worker.start()
            self.dressed[name] = own
        return bool(changed)

    def hold(self, name: str) -> None:
        """It stays dead until it is released."""
        self.supervisor.children[name].restart_at = float("inf")

    def release(self, name: str) -> None:
        self.supervisor.children[name].restart_at = 0.0

    def arm(self, kind: str, point: str, how: str = "kill") -> Path:
        """The next one of this kind that comes by the point falls."""
        token = self.home / "tokens" / kind / point
        fresh = token.with_name(f".{point}.new")
        fresh.write_text(how)
        fresh.rename(token)
        return token

    def disarm(self) -> None:
        for kind in (self.home / "tokens").iterdir():
            for token in kind.iterdir():
                token.unlink()

    def fallen(self) -> set[tuple[str, int]]:
        """Point and process id of all that fell since the last `disarm`."""
        found = (self.home / "tokens").glob("*/*.*")
        names = [path.name.rpartition(".") for path in found if not path.name.startswith(".")]
        return {(point, int(pid)) for point, _, pid in names}

    def tend(self) -> None:
        """What died is started again, as the product's own supervisor does it."""
        if time.monotonic() - self._tended < TEND_SECONDS:
            return
        self._tended = time.monotonic()
        for child in self.supervisor.children.values():
            # Always the quick first delay: that something is killed often is our doing.
            child.failures = 0
        self.supervisor.tend()

    def wait(self, seconds: float) -> None:
        self.until(lambda: False, seconds)

    def until(self, fact: Callable[[], Any], seconds: float) -> Any:
        """What the fact becomes once it is one; or its last value, when time is up."""
        limit = time.monotonic() + seconds
        while not (found := fact()) and time.monotonic() < limit:
            if time.monotonic() > self.deadline:
                raise OutOfTime
            self.tend()
            time.sleep(TICK_SECONDS)
        return found

    def stop(self) -> list[str]:
        """Stop all of it; what is left running, which should be nothing."""
        names = [*WEBS, "scheduler", *WORKERS]
        for name in names:
            if (child := self.supervisor.children.get(name)) and child.is_running():
                self._go_on(child.process.pid)
        self.supervisor.stop(*names)
        self.servers.stop()
        left = [child for child in psutil.Process().children(recursive=True) if child.is_running()]
        shown = [" ".join(child.cmdline())[:120] for child in left if child.status() != "zombie"]
        for child in left:
            child.kill()
        return shown

    @staticmethod
    def _go_on(pid: int) -> None:
        """A stopped process cannot end in order."""
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            process.send_signal(signal.SIGCONT)
