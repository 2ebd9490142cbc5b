"""`make recovery`: how long things stand still after something was killed, hung or had no room.

All of `manage.py up` runs, on a disk of its own. After each fault four looks are repeated until
each has had success: a write over REST is acknowledged; the first request of a new project asks a
person, so agents worked; the engine has looked at a project that was marked behind its back, so
scheduler, sweep and engine work; and a page of projects is read all the time. Times count from the
fault, or, where a server is only frozen or a disk full for a while, from the end of that. How long
it takes until a program is started again depends on us, how long it then takes to start on the
machine and on what else it does.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psutil
import psycopg

from ops.devserver.processes import PidFile
from ops.devserver.runtime import PROJECT_DIR, read_runtime
from tools.small_disk import NoSmallDisk, fill, make_data_folder, small_disk

DISK_SIZE = "900m"
FROZEN_SECONDS = 20
LOOK_SECONDS = 0.05
GIVE_UP_SECONDS = 120
# A signal has arrived after this, and nothing is started again sooner.
DEAD_SECONDS = 0.5
# Between faults: a busy machine needs so long to start a program.
PAUSE_SECONDS = 15
PASSWORD = "measured-recovery-7"  # noqa: S105
OURS = ("web", "engine", "sweep", "agents", "scheduler")
SERVERS = ("postgres", "redis")
# There is more than one process of them; so with agents on more than one core.
SEVERAL = ("engine", "agents")


class Up:
    """A running `manage.py up`; its words go to a file."""

    def __init__(self, data: Path) -> None:
        self.data, self.words = data, data.parent / "up.log"
        hidden = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DATA_DIR"}
        own = {key: value for key, value in os.environ.items() if key not in hidden}
        command = ["manage.py", "up", "--port", "0", "--data-dir", str(data)]
        with self.words.open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=PROJECT_DIR,
                env=own | {"ADMIN_PASSWORD": PASSWORD},
                stdout=words,
                stderr=subprocess.STDOUT,
            )
        while "Ctrl-C stops everything" not in self.words.read_text():
            if self.process.poll() is not None:
                raise SystemExit(f"up ended:\n{self.words.read_text()}")
            time.sleep(0.1)
        runtime = read_runtime(data)
        self.database_url = runtime["DATABASE_URL"]
        self.client = httpx.Client(base_url=runtime["BASE_URL"], timeout=60)
        login = {"username": "admin", "password": PASSWORD}
        token = self.client.post("/api/v1/auth/token/", json=login).json()["token"]
        self.client.headers["Authorization"] = f"Token {token}"

    def programs(self, name: str) -> dict[str, int]:
        """Process ids of the program and of those of the same work, as `engine-2`."""
        entries = PidFile(self.data / "processes.json").entries
        return {
            entry: values["pid"]
            for entry, values in entries.items()
            if entry.removesuffix(f"-{entry.rpartition('-')[2]}") == name or entry == name
        }

    def all_programs(self) -> dict[str, int]:
        return {entry: pid for name in OURS + SERVERS for entry, pid in self.programs(name).items()}

    def create(self, *, auto_start: bool) -> str:
        body = {"name": "Recovery", "brief": "Members borrow books.", "auto_start": auto_start}
        answer = self.client.post("/api/v1/projects/", json=body)
        return answer.raise_for_status().json()["id"]

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(90)


def send_to_all(name: str, number: signal.Signals, up: Up) -> None:
    """And to what they have started, which may be in groups of its own."""
    for pid in up.programs(name).values():
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)


def send_to_one(name: str, number: signal.Signals, up: Up) -> None:
    """Of several that do the same work, or the one that started the others."""
    os.kill(up.programs(name)[name], number)


@dataclass
class Fault:
    name: str
    begin: Callable[[Up], None]
    #: What ends it, after `FROZEN_SECONDS`; without, the product itself has to.
    end: Callable[[Up], None] | None = None
    #: Nothing may be started again for it.
    is_an_outage: bool = False
    seconds: dict[str, list[float]] = field(default_factory=dict)
    longest_answers: list[float] = field(default_factory=list)
    restarted: set[str] = field(default_factory=set)


def faults(*, may_fill: bool) -> Iterator[Fault]:
    yield Fault("nothing at all", lambda up: None)
    for name in OURS:
        for word, number in (("`kill -9`", signal.SIGKILL), ("SIGSTOP", signal.SIGSTOP)):
            if name in SEVERAL:
                yield Fault(f"{word} of one {name}", partial(send_to_one, name, number))
            yield Fault(
                f"{word} of {'each ' if name in SEVERAL else ''}{name}",
                partial(send_to_all, name, number),
            )
    for name in SERVERS:
        yield Fault(f"`kill -9` of {name}", partial(send_to_one, name, signal.SIGKILL))
        yield Fault(
            f"SIGSTOP of {name} for {FROZEN_SECONDS} s",
            partial(send_to_all, name, signal.SIGSTOP),
            partial(send_to_all, name, signal.SIGCONT),
            is_an_outage=True,
        )
    if may_fill:
        yield Fault(
            f"a full disk for {FROZEN_SECONDS} s",
            lambda up: fill(up.data.parent) and None,
            lambda up: (up.data.parent / "filler").unlink(),
            is_an_outage=True,
        )


@contextmanager
def reading(up: Up) -> Iterator[list[float]]:
    """Somebody reads a page of projects all the time; how long each answer took."""
    seconds: list[float] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            began = time.monotonic()
            try:
                up.client.get("/api/v1/projects/")
            except httpx.HTTPError:
                pass
            seconds.append(time.monotonic() - began)
            time.sleep(LOOK_SECONDS)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


def seconds_until(fact: Callable[[], bool], since: float) -> float:
    """Infinite when it did not come true in time."""
    while time.monotonic() - since < GIVE_UP_SECONDS:
        try:
            if fact():
                return time.monotonic() - since
        except (httpx.HTTPError, psycopg.Error):
            pass
        time.sleep(LOOK_SECONDS)
    return float("inf")


def is_written(up: Up) -> Callable[[], bool]:
    return lambda: bool(up.create(auto_start=False))


def is_worked_on(up: Up) -> Callable[[], bool]:
    """The project is made once; a refused try is repeated."""
    projects: list[str] = []

    def asks_a_person() -> bool:
        if not projects:
            projects.append(up.create(auto_start=True))
        path = f"/api/v1/hitl/requests/?project={projects[0]}"
        if up.client.get(path).raise_for_status().json()["results"]:
            up.client.post(f"/api/v1/projects/{projects[0]}/cancel/")
            return True
        return False

    return asks_a_person


def is_advanced(up: Up, project: str) -> Callable[[], bool]:
    """As after an error of the engine: the project is marked, and nobody has been told."""
    is_marked = False

    def has_lost_its_mark() -> bool:
        nonlocal is_marked
        with psycopg.connect(up.database_url, autocommit=True, connect_timeout=5) as connection:
            if not is_marked:
                mark = "UPDATE projects SET attention_since = now() - interval '1 h' WHERE id = %s"
                connection.execute(mark, [project])
                is_marked = True
            rows = connection.execute(
                "SELECT attention_since IS NULL FROM projects WHERE id = %s", [project]
            )
            return bool(rows.fetchone()[0])

    return has_lost_its_mark


def suffer(up: Up, fault: Fault) -> None:
    project = up.create(auto_start=False)
    programs = up.all_programs()
    with reading(up) as answers, ThreadPoolExecutor(4) as threads:
        began = time.monotonic()
        fault.begin(up)
        if fault.end:
            while time.monotonic() - began < FROZEN_SECONDS:
                time.sleep(1)
                # What was given free or was started meanwhile, too.
                fault.begin(up)
            began = time.monotonic()
            fault.end(up)
        facts = {
            "write": is_written(up),
            "agents": is_worked_on(up),
            "engine": is_advanced(up, project),
            # One of several may hang still, with others at its work.
            "restart": lambda: time.monotonic() - began > DEAD_SECONDS and not is_stopped(up),
        }
        waits = {name: threads.submit(seconds_until, fact, began) for name, fact in facts.items()}
        for name, wait in waits.items():
            fault.seconds.setdefault(name, []).append(wait.result())
    # One that is killed because it hung is neither frozen nor gone for a moment.
    time.sleep(DEAD_SECONDS)
    seconds_until(lambda: not is_stopped(up), time.monotonic())
    fault.longest_answers.append(max(answers))
    now = up.all_programs()
    fault.restarted |= {name for name, pid in programs.items() if now.get(name) != pid}


def is_stopped(up: Up) -> bool:
    """Whether any program is frozen, or has ended."""
    for pid in up.all_programs().values():
        try:
            if psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
                return True
        except psutil.NoSuchProcess:
            return True
    return False


def wait_until_healthy(up: Up) -> None:
    """So that one fault does not count for the next: also what was started again is at work."""

    def is_healthy() -> bool:
        return bool(up.client.get("/health/detailed").json()["status"] == "healthy")

    seconds_until(is_healthy, time.monotonic())
    time.sleep(PAUSE_SECONDS)


def table(measured: list[Fault]) -> str:
    lines = [
        "| | write | agents | engine | longest answer | started again |",
        "|---|---|---|---|---|---|",
    ]
    for fault in measured:
        times = [f"{max(fault.seconds[key]):.1f} s" for key in ("write", "agents", "engine")]
        times.append(f"{max(fault.longest_answers):.1f} s")
        restarted = "nothing"
        if fault.restarted:
            names = ", ".join(sorted(fault.restarted))
            restarted = f"{names}: after {max(fault.seconds['restart']):.1f} s"
        lines.append(f"| {fault.name} | {' | '.join(times)} | {restarted} |")
    return "\n".join(lines)


def has_stood(seconds: list[float]) -> bool:
    return float("inf") in seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    options = parser.parse_args()
    loads = [os.getloadavg()[0]]
    with ExitStack() as stack:
        try:
            data = make_data_folder(stack.enter_context(small_disk(DISK_SIZE)))
            may_fill = True
        except NoSmallDisk as error:
            print(f"No full disk: {error.__doc__}")
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="paraph-recovery-"))
            data, may_fill = Path(home) / "data", False
        measured = [one for one in faults(may_fill=may_fill) if options.only in one.name]
        up = Up(data)
        stack.callback(up.stop)
        try:
            # Ctrl-C ends it with what was measured.
            with contextlib.suppress(KeyboardInterrupt):
                for turn in range(options.times):
                    for fault in measured:
                        wait_until_healthy(up)
                        loads.append(os.getloadavg()[0])
                        suffer(up, fault)
                        last = {key: round(values[-1], 1) for key, values in fault.seconds.items()}
                        print(f"{turn + 1} {fault.name}: {json.dumps(last)}", flush=True)
        finally:
            print(up.words.read_text(), file=sys.stderr)
    measured = [one for one in measured if one.longest_answers]
    print(table(measured))
    load = f"{min(loads):.1f} to {max(loads):.1f}, most often {statistics.median(loads):.1f}"
    print(f"\nWorst of {options.times} at most; {os.cpu_count()} cores, load {load}.")
    stood = [one.name for one in measured if any(map(has_stood, one.seconds.values()))]
    touched = [one.name for one in measured if one.is_an_outage and one.restarted]
    for name in stood:
        print(f"FAILED: {name}: not back after {GIVE_UP_SECONDS} s")
    for name in touched:
        print(f"FAILED: {name}: something was started again for it")
    return 1 if stood or touched else 0


if __name__ == "__main__":
    sys.exit(main())
