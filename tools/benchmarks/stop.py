"""`make bench-stop`: from an emergency stop to the last worker's acknowledgement.

The floor in the same run: as many processes that hear a bare Redis message and make one bare
UPDATE. Both with every worker process in the middle of a call that would never end.
"""

import os
import statistics
import time
from typing import Any

from django.contrib.auth.models import User

from agents.models import EmergencyStop, Task, WorkerProcess
from agents.selectors import wait_for_acknowledgements
from agents.services import activate_emergency_stop, release_emergency_stop
from audit.actors import Actor
from projects.services import start_project
from tools.benchmarks.bare_stop import bare_seconds
from tools.benchmarks.engine import make_project, wait_until
from tools.benchmarks.stack import WORKER_PROCESSES, owner_url, worker

ROUNDS = 20
AIM_SECONDS = 2.0
PATIENCE_SECONDS = 30.0


def report(options: Any) -> None:
    floor = bare_seconds(owner_url(), os.environ["REDIS_URL"], ROUNDS)
    with worker(WORKER_PROCESSES, BENCH_MODEL="endless"):
        processes = WorkerProcess.objects.filter(kind="process")
        wait_until(lambda: processes.count() == WORKER_PROCESSES)
        ours = stop_seconds(ROUNDS)
    for name, choose in (("median", statistics.median), ("worst", max)):
        stop, bare = choose(ours) * 1000, choose(floor) * 1000
        print(
            f"stop to last acknowledgement, {name:6s} of {ROUNDS} {stop:8.1f} ms"
            f"   bare message and UPDATE {bare:6.1f} ms   ratio {stop / bare:5.1f}"
        )
    print(f"aim: under {AIM_SECONDS:.0f} s; {WORKER_PROCESSES} worker processes, each in a call")


def stop_seconds(rounds: int) -> list[float]:
    """By the database's clock: from the row to the last acknowledgement. The last one stands."""
    user = User.objects.create_superuser("bench")
    actor, took = Actor.of_user(user), []
    for _ in range(WORKER_PROCESSES):
        start_project(project_id=make_project(1, "low").pk, actor=actor)
    for number in range(rounds):
        if number:
            release_emergency_stop(actor=actor, reason="Benchmark.")
        wait_until(lambda: Task.objects.filter(status="working").count() == WORKER_PROCESSES)
        # Claimed is not yet called; a moment later each process is in its call.
        time.sleep(0.2)
        stop, _ = activate_emergency_stop(actor=actor, reason="Benchmark.")
        took.append(_seconds(wait_for_acknowledgements(stop.pk, PATIENCE_SECONDS)))
    return took


def _seconds(stop: EmergencyStop) -> float:
    assert stop.workers_expected == WORKER_PROCESSES, stop.workers_text
    assert stop.seconds_to_last_acknowledgement is not None, stop.workers_text
    return stop.seconds_to_last_acknowledgement
