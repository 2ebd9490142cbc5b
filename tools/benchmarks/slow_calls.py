"""`make bench-waiting`: a thousand calls of models that wait at once on one machine.

The provider is a server in a process of its own whose calls take as long as `--seconds` says: that
is the ideal for all of them together.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

import psutil
import psycopg
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now

from agents.models import EmergencyStop, Task, TaskAttempt, WorkerProcess
from agents.queue import RUN_TASK, enqueue
from agents.selectors import wait_for_acknowledgements
from agents.services import activate_emergency_stop, release_emergency_stop, request_task
from audit.actors import Actor
from ops.devserver.valkey import free_port
from projects.models import Project
from projects.services import create_project
from tools.benchmarks.engine import wait_until
from tools.benchmarks.slow_server import AT_ONCE

PROJECTS = 100
SAMPLE_SECONDS = 0.25
OPEN = ("pending", "working")
PATIENCE_SECONDS = 60.0
HANGING = 100
HANGING_CONCURRENCY = 32
AIM_RATIO, AIM_MEBIBYTES, AIM_CONNECTIONS, AIM_STOP, AIM_START = 1.3, 1024, 40, 2.0, 1.0
# By the database's clock, from the first claim to the last result.
TOOK = """
    SELECT extract(epoch FROM max(finished_at) - min(started_at))::float,
        extract(epoch FROM max(started_at) - min(started_at))::float
    FROM task_attempts WHERE outcome = 'completed'
"""
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
WAITED = """
    SELECT extract(epoch FROM started_at - created_at)::float FROM tasks WHERE id = %s
"""


def report(options: Any) -> None:
    # So that what was started is ended, too, when somebody ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    user = User.objects.create_superuser("bench")
    actor = Actor.of_user(user)
    with slow_server(options.seconds) as port:
        floor = library_alone(port, options.calls, options.processes)
        model = {"BENCH_MODEL": "openai-chat:slow", "OPENAI_API_KEY": "none"}
        model |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "MODEL_TIMEOUT_SECONDS": "600"}
        many_at_once(options, actor, port, model, floor)
        beside_hanging_calls(actor, port, model)


def library_alone(port: int, calls: int, processes: int) -> float:
    """Seconds that the provider's library needs in as many processes, with no task around it."""
    command = [sys.executable, "-m", "tools.benchmarks.bare_calls", str(port)]
    command.append(str(calls // processes))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    return max(float(process.communicate()[0]) for process in running)


def many_at_once(
    options: Any, actor: Actor, port: int, model: dict[str, str], floor: float
) -> None:
    calls, processes = options.calls, options.processes
    projects = [new_project(actor) for _ in range(PROJECTS)]
    for number in range(calls):
        new_task(actor, projects[number % PROJECTS])
    later = [new_task(actor, projects[number % PROJECTS]).pk for number in range(calls)]
    Task.objects.filter(pk__in=later).update(run_after=Now() + timedelta(days=1))
    with workers(processes, calls // processes, model) as running, Sampler(running, port) as peak:
        # Seldom: whoever asks takes processor time from what is measured.
        completed = TaskAttempt.objects.filter(outcome="completed")
        wait_until(lambda: completed.count() == calls, every=SAMPLE_SECONDS)
        with connection.cursor() as cursor:
            cursor.execute(TOOK)
            took, ramp = cursor.fetchone()
        line("calls that waited at once", f"{peak.waiting:,} of {calls:,}", "")
        ideal = options.seconds
        remark = f"{floor / ideal:.2f} times one call"
        line("floor: the provider's library alone", f"{floor:.1f} s", remark)
        remark = f"{took / ideal:.2f} times one call (aim {AIM_RATIO})"
        line("all of them", f"{took:.1f} s", f"{remark}, {took / floor:.2f} the floor")
        line("from the first claim to the last", f"{ramp:.1f} s", f"{calls / ramp:.0f} a second")
        # All at once, which making them is not.
        Task.objects.filter(pk__in=later).update(run_after=Now(), enqueued_at=Now())
        for task_id in later:
            enqueue(RUN_TASK, task_id)
        in_flight = most_calls(port, calls, options.seconds)
        stop, _ = activate_emergency_stop(actor=actor, reason="Benchmark.")
        seconds = stop_seconds(stop)
        remark = f"{in_flight} calls; aim {AIM_STOP}"
        line("emergency stop to the last acknowledgement", f"{seconds:.2f} s", remark)
        wait_until(lambda: not Task.objects.filter(status="working").exists())
        release_emergency_stop(actor=actor, reason="Benchmark.")
        open_calls = most_calls(port, calls, options.seconds)
        began = time.monotonic()
        for worker in running:
            worker.terminate()
        wait_until(lambda: waiting_calls(port) == 0)
        closed = time.monotonic() - began
        wait_until(lambda: not Task.objects.filter(status="working").exists())
        line("SIGTERM until no call is open", f"{closed:.2f} s", f"{open_calls} calls; aim 1")
        line("SIGTERM until all tasks are handed back", f"{time.monotonic() - began:.2f} s", "")
        for worker in running:
            worker.wait(PATIENCE_SECONDS)
        line("SIGTERM until the workers have ended", f"{time.monotonic() - began:.2f} s", "")
    memory = f"{peak.mebibytes:.0f} MiB"
    line(
        "memory of the agents' workers, most", memory, f"{processes} processes; aim {AIM_MEBIBYTES}"
    )
    line("database connections, most", f"{peak.connections}", f"aim {AIM_CONNECTIONS}")
    lost = TaskAttempt.objects.filter(outcome="crashed").count()
    line("leases lost", f"{lost}", "aim 0")
    Task.objects.filter(status="pending").update(status="cancelled")


def beside_hanging_calls(actor: Actor, port: int, model: dict[str, str]) -> None:
    """From the row of a task to its claim, while another project has more calls than there fit."""
    hanging, other = new_project(actor), new_project(actor)
    with workers(1, HANGING_CONCURRENCY, model):
        for _ in range(HANGING):
            new_task(actor, hanging)
        wait_until(lambda: waiting_calls(port) >= HANGING_CONCURRENCY * 7 // 8)
        time.sleep(2)
        waits = []
        for _ in range(10):
            task = new_task(actor, other, AT_ONCE)
            wait_until(lambda task=task: Task.objects.get(pk=task.pk).status not in OPEN)
            with connection.cursor() as cursor:
                cursor.execute(WAITED, [task.pk])
                waits.append(cursor.fetchone()[0])
        at_work = waiting_calls(port)
    what = f"start beside {HANGING} calls, {at_work} of them open"
    line(what, f"{max(waits):.3f} s", f"worst of {len(waits)}; aim {AIM_START}")


def line(what: str, value: str, remark: str) -> None:
    print(f"{what:45s}{value:>16s}   {remark}", flush=True)


def new_project(actor: Actor) -> Project:
    # Nobody decides on the results, and no step follows.
    return create_project(
        actor=actor, name="Bench", brief="Wait.", oversight_level="low", auto_start=False
    )


def new_task(actor: Actor, project: Project, instructions: str = "Take your time.") -> Task:
    return request_task(
        actor=actor, project_id=project.pk, agent_type="analyst", instructions=instructions
    )


def stop_seconds(stop: EmergencyStop) -> float:
    stop = wait_for_acknowledgements(stop.pk, PATIENCE_SECONDS)
    assert stop.seconds_to_last_acknowledgement is not None, stop.workers_text
    return stop.seconds_to_last_acknowledgement


def most_calls(port: int, calls: int, seconds: float) -> int:
    """How many wait: all of them, or as many as there are shortly before the first one ends."""
    wait_until(lambda: waiting_calls(port) > 0)
    limit = time.monotonic() + seconds * 0.8
    while (waiting := waiting_calls(port)) < calls and time.monotonic() < limit:
        time.sleep(0.1)
    return waiting


def waiting_calls(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/waiting", timeout=30) as answer:
        return int(answer.read())


@contextmanager
def slow_server(seconds: float) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tools.benchmarks.slow_server", str(port), str(seconds)]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: is_there(port))
        yield port
    finally:
        process.terminate()
        process.wait(30)


def is_there(port: int) -> bool:
    try:
        return waiting_calls(port) == 0
    except OSError:
        return False


@contextmanager
def workers(
    count: int, concurrency: int, environment: dict[str, str]
) -> Iterator[list[subprocess.Popen]]:
    """Agents' workers, once all of them are there, beside an engine with its scheduler."""
    celery = [sys.executable, "-m", "celery", "-A", "orchestrator", "worker", "-l", "WARNING"]
    celery += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    own = os.environ | environment | {"AGENT_CONCURRENCY": str(concurrency)}
    with tempfile.TemporaryDirectory() as folder:
        engine = ["-Q", "engine", "-P", "prefork", "-c", "1", "-n", "engine@bench"]
        others = subprocess.Popen([*celery, *engine, "-B", "-s", f"{folder}/beat"], env=own)
        agents = [
            subprocess.Popen(
                [*celery, "-Q", "agents", "-P", "threads", "-n", f"agents{n}@bench"], env=own
            )
            for n in range(count)
        ]
        try:
            yield agents
        finally:
            for process in (*agents, others):
                process.terminate()
            for process in (*agents, others):
                process.wait(PATIENCE_SECONDS)
            WorkerProcess.objects.all().delete()


class Sampler:
    """The most of what was seen, several times a second, in a thread."""

    def __init__(self, running: list[subprocess.Popen], port: int) -> None:
        self.connections = self.waiting = 0
        self.mebibytes = 0.0
        self._processes = [psutil.Process(process.pid) for process in running]
        self._port = port
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
            while not self._ended.wait(SAMPLE_SECONDS):
                (connections,) = database.execute(CONNECTIONS).fetchone()
                self.connections = max(self.connections, connections)
                self.waiting = max(self.waiting, waiting_calls(self._port))
                self.mebibytes = max(self.mebibytes, self._memory())

    def _memory(self) -> float:
        total = 0
        for process in self._processes:
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                pass
        return total / 2**20
