"""`manage.py up`, whole: one start for the questions, then a kill, a second start and a stop."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.request
from argparse import ArgumentTypeError
from pathlib import Path

import psutil
import psycopg
import pytest

from ops.devserver.dev_server import AGENT_WORKERS_MOST, cores
from ops.devserver.processes import PidFile, is_alive
from ops.devserver.runtime import PROJECT_DIR, read_runtime
from ops.management.commands.up import port_number
from tests.live import eventually

pytestmark = pytest.mark.slow

KEY = re.compile(r"paraph_[\w-]{43}")


def environment(**more: str) -> dict[str, str]:
    """A shell that knows nothing of the servers of this test run."""
    hidden = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CHANNEL_PREFIX", "QUEUE_PREFIX"}
    return {key: value for key, value in os.environ.items() if key not in hidden} | more


def manage(*arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT_DIR,
        env=environment(DATA_DIR=str(data_dir)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Up:
    """A running `up`; what it printed until it was ready is in `printed`."""

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port), "--data-dir", str(data_dir)],
            cwd=PROJECT_DIR,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = self._until_ready()
        self.everything = psutil.Process(self.process.pid).children(recursive=True)

    def _until_ready(self) -> str:
        printed = ""
        for line in self.process.stdout:
            printed += line
            if "Ctrl-C stops everything" in line:
                return printed
        raise AssertionError(f"up ended:\n{printed}")

    def survivors(self) -> list[psutil.Process]:
        return [process for process in self.everything if is_alive(process)]

    def stop(self) -> str:
        """Returns what it printed meanwhile."""
        self.process.terminate()
        return self.process.communicate(timeout=90)[0]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)

    def pid(self, name: str) -> int:
        return PidFile(self.data_dir / "processes.json").entries[name]["pid"]

    def health(self) -> str:
        return json.loads(read(self, "/health/detailed"))["status"]

    @property
    def base_url(self) -> str:
        return read_runtime(self.data_dir)["BASE_URL"]

    def shown(self, name: str) -> str:
        return re.search(rf"^\s*{name}\s+(\S+)", self.printed, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def home():
    home = Path(tempfile.mkdtemp(prefix="cs-up-"))
    yield home
    place = home / "data" / "servers"
    if place.is_symlink():
        shutil.rmtree(place.readlink())
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def up(home):
    running = Up(home / "data")
    yield running
    if running.process.poll() is None:
        running.stop()


def test_it_says_where_to_go_how_to_log_in_and_who_serves(up):
    assert up.base_url in up.printed
    assert up.shown("Login") == "admin"
    assert len(up.shown("Password")) >= 16
    assert "demo" in up.printed
    assert str(up.data_dir / "logs") in up.printed
    assert re.search(r"Ready after [\d.]+ s", up.printed)


def test_the_web_server_is_ready(up):
    with urllib.request.urlopen(f"{up.base_url}/health/ready", timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


def read(up, path):
    with urllib.request.urlopen(f"{up.base_url}{path}", timeout=30) as answer:  # noqa: S310
        return answer.read().decode()


def test_the_metrics_of_all_processes_are_read_in_one_place(up):
    # Counted by the engine's worker and by the web server; asked of Redis.
    wanted = ("paraph_sweep_seconds_count", 'route="^health/ready/?$"')
    wanted += (f'paraph_workers{{queue="agents"}} {min(cores(), AGENT_WORKERS_MOST)}.0',)

    eventually(lambda: all(part in read(up, "/metrics") for part in wanted))


def test_a_report_on_all_components_is_healthy(up):
    eventually(lambda: up.health() == "healthy")


def test_a_killed_worker_comes_back(up):
    engine = psutil.Process(up.pid("engine"))
    engine.kill()
    eventually(lambda: up.pid("engine") != engine.pid)
    log = up.data_dir / "logs" / "engine.log"
    eventually(lambda: log.read_text().count(" ready.") == 2)


def test_another_command_finds_the_servers_without_being_told(up):
    asked = manage("create_token", "admin", data_dir=up.data_dir)
    assert KEY.fullmatch(asked.stdout.strip()), asked.stderr


def test_servers_and_workers_are_the_application_and_never_the_owner(up):
    runtime = read_runtime(up.data_dir)
    url, owners = runtime["DATABASE_URL"], runtime["MIGRATION_DATABASE_URL"]
    with psycopg.connect(url) as application:
        (owner,) = application.execute(
            "SELECT tableowner FROM pg_tables WHERE tablename = 'event_log'"
        ).fetchone()
        user = application.info.user

    assert (user, owner) == ("paraph", "paraph_owner")
    for name in ("web", "engine", "agents", "scheduler"):
        known = psutil.Process(up.pid(name)).environ()
        assert known["DATABASE_URL"] == url
        assert not [value for value in known.values() if owners in value], name
        assert not known["MIGRATION_DATABASE_URL"]


def test_a_command_that_migrates_is_the_owner_without_being_told(up):
    assert manage("migrate", "-v0", data_dir=up.data_dir).returncode == 0


def test_no_password_is_kept(up):
    kept = [path for path in up.data_dir.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if up.shown("Password").encode() in path.read_bytes()]


def test_what_it_made_is_private_and_what_was_there_is_unchanged(up, home):
    inside = [path for path in up.data_dir.rglob("*") if not path.is_symlink()]
    made = [up.data_dir, *(path for path in inside if path.is_dir())]
    files = [path for path in inside if path.is_file() and path.parent == up.data_dir]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_second_one_on_the_same_data_folder_is_refused(up):
    second = manage("up", "--port", "0", "--data-dir", str(up.data_dir), data_dir=up.data_dir)
    assert second.returncode == 1
    assert "running already on the data folder" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_refused_before_anything_starts(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = manage("up", "--port", port, "--data-dir", str(home / "other"), data_dir=home)
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1 is not free" in refused.stderr
    made = {path.name for path in (home / "other").iterdir()}
    assert not made & {"logs", "servers", "runtime.json"}


@pytest.mark.parametrize("text", ["web", "-1", "65536", "80.5", ""])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="is not a port"):
        port_number(text)


def test_a_command_without_a_running_database_says_what_to_do(home):
    asked = manage("create_token", "admin", data_dir=home / "nothing-here")
    assert asked.returncode == 1
    assert "make run" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_after_a_kill_and_after_a_stop_nothing_runs_and_the_next_start_goes_on(up):
    assert KEY.search(up.printed)
    secret = read_runtime(up.data_dir)["SECRET_KEY"]
    # Others have come since it was ready.
    up.everything = psutil.Process(up.process.pid).children(recursive=True)
    # One that hangs ends as well: the kernel wakes it, because nobody is left who would.
    psutil.Process(up.pid("engine")).suspend()
    up.kill()
    eventually(lambda: not up.survivors())

    second = Up(up.data_dir, port=int(up.base_url.rpartition(":")[2]))
    assert "left over" not in second.printed
    assert "Password" not in second.printed
    assert read_runtime(second.data_dir)["SECRET_KEY"] == secret
    assert not KEY.search(second.printed)
    eventually(lambda: second.health() == "healthy")
    assert "Stopped." in second.stop()
    assert second.process.returncode == 0
    assert not second.survivors()
