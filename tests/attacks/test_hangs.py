"""Processes of a running `up` are frozen (SIGSTOP): they live, and do nothing."""

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.heartbeat import SILENT_SECONDS
from tests.live import eventually
from tests.ops.devserver.test_up import Up

OURS = ("web", "engine", "engine-2", "sweep", "agents", "scheduler")
#: Until the process is ended; its successor has to start, which takes longer on a busy machine.
NOTICED_SECONDS = 15


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="paraph-hangs-") as home:
        running = Up(Path(home) / "data")
        eventually(lambda: running.health() == "healthy")
        yield running
        running.stop()


def signal_all(main: int, number: signal.Signals) -> None:
    process = psutil.Process(main)
    for one in [process, *process.children(recursive=True)]:
        one.send_signal(number)


@pytest.mark.parametrize("name", OURS)
def test_what_hangs_is_started_again(up, name):
    hung = up.pid(name)

    signal_all(hung, signal.SIGSTOP)

    eventually(lambda: up.pid(name) != hung, NOTICED_SECONDS)
    eventually(lambda: up.health() == "healthy")


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_an_outage_is_no_hang(up, name):
    before = {program: up.pid(program) for program in OURS}

    signal_all(up.pid(name), signal.SIGSTOP)
    time.sleep(2 * SILENT_SECONDS)
    signal_all(up.pid(name), signal.SIGCONT)

    eventually(lambda: up.health() == "healthy")
    assert {program: up.pid(program) for program in OURS} == before
