"""PostgreSQL is frozen (SIGSTOP): the kernel goes on acknowledging, and nothing answers."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from django.conf import settings

from core.postgresql.connection import WatchedConnection, silence
from ops.devserver.data_dir import open_data_dir
from ops.devserver.postgres import Postgres
from tests.fixtures import BRIEF
from tests.live import WebServer, eventually

PASSWORD = "correct-horse-9"
ANSWER_SECONDS = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="paraph-tests-") as home:
        Path(home).chmod(0o711)
        folder = open_data_dir(Path(home) / "data", system_dir=Path(home))
        server = Postgres(folder, is_durable=False)
        server.start_and_wait()
        yield server
        server.stop()
        folder.close()


@contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    main = psutil.Process(server.process.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)


@pytest.fixture
def limit(monkeypatch) -> float:
    monkeypatch.setattr(silence, "seconds", 1.0)
    monkeypatch.setattr(silence, "unanswered_at", float("-inf"))
    return 1.0


def test_who_waits_hangs_up_and_does_not_wait_again(postgres, limit):
    with WatchedConnection.connect(postgres.url, autocommit=True) as connection:
        began = time.monotonic()
        with frozen(postgres), pytest.raises(Exception, match="server closed the connection"):
            connection.execute("SELECT 1")
        assert limit <= time.monotonic() - began < limit + 2
        assert connection.closed


def test_a_statement_that_is_only_slow_is_left_alone(postgres, limit):
    with WatchedConnection.connect(postgres.url, autocommit=True) as connection:
        assert connection.execute("SELECT 1 FROM pg_sleep(4)").fetchone() == (1,)


def test_control_without_a_limit_the_wait_lasts_as_long_as_the_freeze(postgres, monkeypatch):
    monkeypatch.setattr(silence, "seconds", None)
    with (
        WatchedConnection.connect(postgres.url, autocommit=True) as connection,
        ThreadPoolExecutor(1) as threads,
    ):
        with frozen(postgres):
            waiting = threads.submit(connection.execute, "SELECT 1")
            time.sleep(ANSWER_SECONDS + 2)
            assert not waiting.done()
        assert waiting.result(10).fetchone() == (1,)


def test_requests_and_health_are_answered_503_in_time_and_a_repeat_is_done_once(postgres):
    own = {"DATABASE_URL": postgres.url, "MIGRATION_DATABASE_URL": postgres.owner_url}
    own["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    for arguments in (
        ["migrate", "-v0"],
        ["createsuperuser", "--noinput", "--username=ada", "--email=a@example.com"],
    ):
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, env=os.environ | own, check=True, cwd=settings.BASE_DIR)
    web = WebServer(DATABASE_URL=postgres.url)
    body = {"name": "Twice", "brief": BRIEF, "auto_start": False}
    key = {"Idempotency-Key": "twice"}
    with httpx.Client(base_url=web.url, timeout=60) as client:
        login = {"username": "ada", "password": PASSWORD}
        token = client.post("/api/v1/auth/token/", json=login).json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        requests = [
            client.build_request("POST", "/api/v1/projects/", json=body, headers=key),
            *(client.build_request("GET", "/api/v1/projects/") for _ in range(8)),
            client.build_request("GET", "/health/ready"),
        ]
        assert client.get("/api/v1/projects/").status_code == 200

        def timed(request: httpx.Request) -> tuple[int, float]:
            began = time.monotonic()
            return client.send(request).status_code, time.monotonic() - began

        with frozen(postgres), ThreadPoolExecutor(len(requests)) as threads:
            first = list(threads.map(timed, requests))
            second = list(threads.map(timed, requests))
        for status, seconds in first + second:
            assert status == 503, first + second
            assert seconds < ANSWER_SECONDS, first + second

        def send() -> httpx.Response:
            return client.send(requests[0])

        began = time.monotonic()
        eventually(lambda: send().status_code == 201)
        assert time.monotonic() - began < ANSWER_SECONDS
        assert send().json() == send().json()
        assert len(client.get("/api/v1/projects/").json()["results"]) == 1
    web.stop()
