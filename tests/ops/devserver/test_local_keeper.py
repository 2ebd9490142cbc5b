"""Guard and keeper, with small programs in the place of ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from ops.devserver.logs import LIMIT_BYTES, LogWatch, rotate
from ops.devserver.runtime import PROJECT_DIR

SLEEPERS = """
import socket, sys, signal, time
from pathlib import Path
from ops.devserver.supervisor import run_guarded
from ops.devserver.children import Keeper
from ops.devserver.programs import Program

home = Path(sys.argv[1])
PROGRAM = '''
import os, signal, subprocess, sys, time
name, home = sys.argv[1:]
def stopped(*_):
    with open(f"{home}/order", "a") as file: file.write(name + chr(10))
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else stopped)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("up", flush=True)
time.sleep(600)
'''

def keep():
    keeper = Keeper(lambda text: print(text, flush=True))
    for name in sys.argv[2:]:
        keeper.add(Program(name=name, arguments=["-c", PROGRAM, name, str(home)],
                           log=home / f"{name}.log", environment={}, stop_seconds=30))
    keeper.is_starting = False
    print("keeping", flush=True)
    keeper.keep()
    for name in sys.argv[2:]:
        keeper.stop(name)
    keeper.end_strays()
    return 0

sys.exit(run_guarded(keep, socket.socket()))
"""


def eventually(fact: Callable[[], object], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Run:
    """A guard with the named programs, all of them up."""

    def __init__(self, home, *names: str) -> None:
        self.home, self.names = home, names
        self.process = subprocess.Popen(
            [sys.executable, "-c", SLEEPERS, str(home), *names],
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "keeping\n"
        assert eventually(lambda: all(self.is_up(name) for name in names))
        self.everything = psutil.Process(self.process.pid).children(recursive=True)

    def is_up(self, name: str) -> bool:
        return (self.home / f"{name}.log").read_text().startswith("up")

    @property
    def keeper(self) -> psutil.Process:
        return psutil.Process(self.process.pid).children()[0]

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)

    def survivors(self) -> list[psutil.Process]:
        return psutil.wait_procs(self.everything, timeout=20)[1]

    def stop_order(self) -> list[str]:
        return (self.home / "order").read_text().split()


@pytest.fixture
def run(tmp_path):
    runs = []

    def run_(*names):
        runs.append(Run(tmp_path, *names))
        return runs[-1]

    yield run_
    for made in runs:
        made.process.terminate()
        made.process.wait(30)
        made.process.stdout.close()


def test_a_stop_ends_each_in_turn_and_what_they_had_started(run):
    guard = run("web", "worker", "database")
    assert guard.stop() == 0
    assert guard.stop_order() == ["web", "worker", "database"]
    assert not guard.survivors()


@pytest.mark.parametrize("who", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_stop_everything_too(run, who):
    guard = run("web")
    guard.process.send_signal(who)
    assert guard.process.wait(30) == 0
    assert not guard.survivors()


def test_a_killed_guard_leaves_nothing_and_the_order_is_kept(run):
    guard = run("web", "worker", "database")
    guard.process.kill()
    assert not guard.survivors()
    assert guard.stop_order() == ["web", "worker", "database"]


def test_a_killed_keeper_leaves_nothing(run):
    guard = run("web", "worker")
    guard.keeper.kill()
    assert not guard.survivors()
    assert guard.process.wait(30) != 0


def test_a_second_ctrl_c_does_not_wait_for_the_stubborn(run):
    guard = run("stubborn")
    guard.process.send_signal(signal.SIGINT)
    time.sleep(0.6)  # a person's second press, not the same one twice
    guard.process.send_signal(signal.SIGINT)
    assert guard.process.wait(10) == 0
    assert not guard.survivors()


def test_a_crashed_program_is_started_again_and_its_own_children_are_gone(run):
    guard = run("web")
    web = guard.keeper.children()[0]
    grandchild = web.children()[0]
    web.kill()
    assert eventually(lambda: not grandchild.is_running())
    assert eventually(lambda: guard.keeper.children() and guard.keeper.children()[0] != web)
    line = guard.process.stdout.readline()
    assert "web ended by itself (signal SIGKILL); starting it again in 1 s" in line


def test_only_new_error_lines_are_pointed_out_and_not_too_many(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("ERROR of yesterday\n")
    watch = LogWatch(log)
    with log.open("a") as file:
        file.write("INFO fine\n" + "ERROR new\n" * 10 + "ERROR half a li")
    assert watch.errors() == ["ERROR new"] * 3
    assert watch.errors() == []


def test_the_name_of_an_exception_is_pointed_out_where_it_is_indented(tmp_path):
    log = tmp_path / "web.log"
    watch = LogWatch(log)
    log.write_text("ERROR broke\n  Traceback (most recent call last):\n  ValueError: no\n")

    assert watch.errors() == ["ERROR broke", "ValueError: no"]


def test_a_large_log_is_put_aside_and_its_writer_goes_on(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.truncate(LIMIT_BYTES + 1)
        rotate(log)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert os.path.getsize(tmp_path / "web.log.1") == LIMIT_BYTES + 1
