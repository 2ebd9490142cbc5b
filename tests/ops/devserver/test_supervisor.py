"""The supervisor, with small programs in the place of ours."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core import heartbeat
from ops.devserver import DevServerError
from ops.devserver.children import LOG_LIMIT_BYTES, Child, ErrorLines, Heartbeats, rotate
from ops.devserver.data_dir import open_data_dir
from ops.devserver.processes import PidFile, is_alive, start_time
from ops.devserver.runtime import PROJECT_DIR
from ops.devserver.supervisor import Supervisor
from tests.live import eventually

SUPERVISED = """
import sys
from ops.devserver.children import Child
from ops.devserver.data_dir import open_data_dir
from ops.devserver.supervisor import StopRequested, Supervisor

data_dir = open_data_dir(sys.argv[1], report=print)
PROGRAM = '''
import signal, subprocess, sys, time
name, home = sys.argv[1:]
def stopped(*_):
    with open(f"{home}/order", "a") as file: file.write(name + chr(10))
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else stopped)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("up", flush=True)
time.sleep(600)
'''
supervisor = Supervisor(lambda text: print(text, flush=True), stop_with_parent=True)
supervisor.handle_signals()
for name in sys.argv[2:]:
    command = [sys.executable, "-c", PROGRAM, name, str(data_dir.path)]
    environment = {"DATA_DIR": str(data_dir.path)}
    supervisor.add(Child(data_dir, name, command, environment=environment, stop_seconds=30))
print("supervising", flush=True)
try:
    supervisor.run()
except StopRequested:
    for name in sys.argv[2:]:
        supervisor.stop(name)
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


class Run:
    """A supervisor with the named programs, all of them up."""

    def __init__(self, data_dir: Path, *names: str, through: tuple[str, ...] = ()) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [*through, sys.executable, "-c", SUPERVISED, str(data_dir), *names],
            cwd=PROJECT_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.printed = ""
        while "supervising" not in self.printed:
            self.printed += self.process.stdout.readline()
        logs = [data_dir / "logs" / f"{name}.log" for name in names]
        eventually(lambda: all(log.read_text().startswith("up") for log in logs))
        self.everything = psutil.Process(self.process.pid).children(recursive=True)

    def pid(self, name: str) -> int:
        return PidFile(self.data_dir / "processes.json").entries[name]["pid"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def survivors(self) -> list[psutil.Process]:
        return [process for process in self.everything if is_alive(process)]

    def stop_order(self) -> list[str]:
        return (self.data_dir / "order").read_text().split()


@pytest.fixture
def run(tmp_path):
    runs = []

    def run_(*names, **options):
        runs.append(Run(tmp_path / "data", *names, **options))
        return runs[-1]

    yield run_
    for made in runs:
        made.process.kill()
        made.process.wait(30)
        made.process.stdout.close()
        for process in made.survivors():
            process.kill()


@pytest.fixture
def bystander():
    """A process of somebody else, in a group of its own."""
    process = subprocess.Popen(SLEEP, process_group=0)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def data_dir(tmp_path):
    data_dir = open_data_dir(tmp_path / "data")
    yield data_dir
    data_dir.close()


def test_a_stop_ends_each_in_turn_and_what_they_had_started(run):
    supervised = run("web", "worker", "database")
    supervised.process.terminate()
    assert supervised.process.wait(30) == 0
    assert supervised.stop_order() == ["web", "worker", "database"]
    assert not supervised.survivors()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_stop_everything_too(run, number):
    supervised = run("web")
    supervised.process.send_signal(number)
    assert supervised.process.wait(30) == 0
    assert not supervised.survivors()


def test_a_second_ctrl_c_does_not_wait_for_the_stubborn(run):
    supervised = run("stubborn")

    def has_ended_after_one_more_ctrl_c():
        supervised.process.send_signal(signal.SIGINT)
        return supervised.process.poll() is not None

    eventually(has_ended_after_one_more_ctrl_c)
    assert not supervised.survivors()


def test_everything_stops_with_the_parent(run):
    # More than one command, so that the shell stays as the parent.
    supervised = run("web", through=("sh", "-c", '"$@"; true', "sh"))
    supervised.kill()
    eventually(lambda: not supervised.survivors())
    assert supervised.stop_order() == ["web"]


def test_a_crashed_program_is_started_again_and_its_own_children_are_gone(run):
    supervised = run("web")
    pid = supervised.pid("web")
    grandchild = psutil.Process(pid).children()[0]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(grandchild))
    line = supervised.process.stdout.readline()
    assert "web ended by itself (signal SIGKILL); starting it again in 1 s" in line
    eventually(lambda: supervised.pid("web") != pid)
    supervised.everything.append(psutil.Process(supervised.pid("web")))


def test_the_next_start_ends_what_a_killed_one_left_the_last_started_first(run):
    first = run("database", "worker", "web")
    first.kill()
    assert len(first.survivors()) == 6
    second = run("database")
    assert not first.survivors()
    assert first.stop_order() == ["web", "worker", "database"]
    assert "web (process" in second.printed


def test_the_next_start_kills_leftovers_that_do_not_stop(run, monkeypatch, tmp_path):
    first = run("stubborn")
    first.kill()
    monkeypatch.setattr("ops.devserver.processes.STOP_SECONDS", 0.1)
    open_data_dir(tmp_path / "data").close()
    assert not first.survivors()


def test_children_of_a_leader_that_was_killed_too_are_ended(run, tmp_path):
    first = run("web")
    first.kill()
    os.kill(first.pid("web"), signal.SIGKILL)
    assert first.survivors()
    open_data_dir(tmp_path / "data").close()
    assert not first.survivors()


def test_what_hangs_is_started_again_and_who_never_beats_is_left_alone(data_dir, monkeypatch):
    monkeypatch.setattr("ops.devserver.children.SILENT_SECONDS", 30)
    news = []
    supervisor = Supervisor(news.append)
    program = "import os, time\nwhile True: open(os.environ['HEARTBEAT_FILE'], 'w'); time.sleep(.1)"
    beating = Child(data_dir, "web", [sys.executable, "-c", program], environment={}, beats=True)
    silent = Child(data_dir, "other", SLEEP, environment={})
    supervisor.add(beating)
    supervisor.add(silent)
    eventually(lambda: beating.heartbeats.silent_seconds() is not None)
    hung, left_alone = beating.process.pid, silent.process.pid

    os.kill(hung, signal.SIGSTOP)
    eventually(lambda: psutil.Process(hung).status() == psutil.STATUS_STOPPED)
    beating.heartbeats.silent_seconds()
    ages = beating.heartbeats.beaten_at
    ages.update({path: beaten_at - 60 for path, beaten_at in ages.items()})
    eventually(lambda: supervisor.tend() or beating.process.pid != hung)

    assert "web hung: no sign of life" in news[0]
    eventually(lambda: beating.heartbeats.silent_seconds() is not None)
    supervisor.tend()
    assert not beating.has_hung()
    assert silent.process.pid == left_alone
    supervisor.stop("web", "other")


def test_announced_silence_is_no_hanging(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("HEARTBEAT_FILE", str(tmp_path / "web"))
    watched = Heartbeats(tmp_path / "web")
    heartbeat.begin()

    assert watched.silent_seconds() < 30
    with heartbeat.long_work(60):
        assert watched.silent_seconds() < -30
    assert 0 <= watched.silent_seconds() < 30


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of it")
def test_children_end_with_their_parent(tmp_path):
    program = SUPERVISED.replace("stop_seconds=30", "stop_seconds=30, ends_with_parent=True")
    command = [sys.executable, "-c", program, str(tmp_path / "data"), "web"]
    supervised = subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True)
    supervised.stdout.readline()
    log = tmp_path / "data" / "logs" / "web.log"
    eventually(lambda: log.exists() and log.read_text().startswith("up"))
    everything = psutil.Process(supervised.pid).children(recursive=True)

    supervised.kill()
    supervised.communicate(timeout=30)

    order = tmp_path / "data" / "order"
    eventually(lambda: order.exists() and order.read_text() == "web\n")
    # What they started knows nothing of it; the next start on the folder would find it.
    for process in everything:
        if is_alive(process):
            process.kill()


def test_what_nobody_wrote_down_is_found_by_the_lock_that_it_inherited(run, tmp_path):
    first = run("web")
    first.kill()
    (tmp_path / "data" / "processes.json").unlink()
    assert first.survivors()

    reported = []
    open_data_dir(tmp_path / "data", report=reported.append).close()

    assert first.stop_order() == ["web"]
    assert not is_alive(first.everything[0])
    assert "left over" in reported[0]


def test_control_without_the_lock_it_goes_on_beside_the_next_start(run, tmp_path, monkeypatch):
    first = run("web")
    first.kill()
    (tmp_path / "data" / "processes.json").unlink()
    monkeypatch.setattr("ops.devserver.data_dir.end_holders", lambda lock, report: None)

    open_data_dir(tmp_path / "data").close()

    assert first.survivors()


def test_a_reused_number_is_not_killed(bystander, data_dir):
    data_dir.pid_file.add("web", bystander.pid, signal.SIGKILL)
    data_dir.pid_file.entries["web"]["started"] = start_time(os.getpid())
    data_dir.pid_file.end_leftovers(data_dir.path, print)
    assert bystander.poll() is None


def test_a_torn_pid_file_is_no_hindrance(data_dir, tmp_path):
    data_dir.close()
    (tmp_path / "data" / "processes.json").write_text('{"web": {')
    open_data_dir(tmp_path / "data").close()


def test_a_start_time_tells_processes_apart(bystander):
    assert start_time(bystander.pid) == start_time(bystander.pid)
    assert start_time(bystander.pid) != start_time(os.getpid())
    bystander.kill()
    bystander.wait()
    assert start_time(bystander.pid) is None


def test_a_program_that_is_not_there_is_a_clear_message(data_dir):
    child = Child(data_dir, "web", ["/nonexistent"], environment={})
    with pytest.raises(DevServerError, match=r"web cannot be started.*nonexistent"):
        child.start()


def test_a_program_that_ends_while_it_should_answer_is_shown_with_its_last_lines(data_dir):
    child = Child(data_dir, "web", ["/bin/sh", "-c", "echo no room; exit 3"], environment={})
    child.start()
    with pytest.raises(DevServerError, match=r"web did not start:\n  no room"):
        child.wait_until(lambda: False, 30, lambda seconds: child.process.wait(30))


def test_only_new_error_lines_are_shown_and_not_too_many(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("ERROR of yesterday\n")
    errors = ErrorLines(log)
    with log.open("a") as file:
        file.write("INFO fine\n" + "ERROR new\n" * 10 + "ERROR half a li")
    assert errors.read() == ["ERROR new"] * 3
    assert errors.read() == []


def test_the_name_of_an_exception_is_shown_where_it_is_indented(tmp_path):
    log = tmp_path / "web.log"
    errors = ErrorLines(log)
    log.write_text("ERROR broke\n  Traceback (most recent call last):\n  ValueError: no\n")

    assert errors.read() == ["ERROR broke", "ValueError: no"]


def test_a_large_log_is_put_aside_and_its_writer_goes_on(tmp_path):
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.truncate(LOG_LIMIT_BYTES + 1)
        rotate(log)
        writer.write(b"after\n")
    assert log.read_bytes() == b"after\n"
    assert os.path.getsize(tmp_path / "web.log.1") == LOG_LIMIT_BYTES + 1
