"""DBOS: a program of its own environment, which imports nothing of ours.

Reads its task from stdin as JSON (`url`, `runs`, `steps`, `drivers`, `prose`) and prints as JSON
what each number of drivers took.

A run is a workflow whose steps make their artifacts, each followed by a `recv` for the approval; a
driver gives it with `send`. Which run waits is handed over in memory, which costs nothing. DBOS
hears of messages by LISTEN/NOTIFY, as it does by default; every workflow has a thread, and all are
started before the clock runs.
"""

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from dbos import DBOS, SetWorkflowID

WARM_RUNS, WARM_STEPS = 8, 3
PATIENCE_SECONDS = 300
POOL_SIZE = 20
#: By run, the steps whose approval is waited for.
waiting: dict[str, SimpleQueue[int]] = {}
#: When a step's function was entered, and when its approval was sent.
started: dict[tuple[str, int], float] = {}
called: dict[tuple[str, int], float] = {}
prose = ""


@DBOS.step()
def make(run: str, number: int) -> dict[str, str]:
    started[run, number] = time.time()
    return {"summary": "Done.", "body": f"{run}/{number} {prose}"}


@DBOS.workflow()
def chain(run: str, steps: int) -> int:
    for number in range(steps):
        make(run, number)
        waiting[run].put(number)
        assert DBOS.recv(timeout_seconds=PATIENCE_SECONDS) == {"action": "approve"}
    return steps


def main() -> None:
    global prose
    task = json.load(sys.stdin)
    prose, most = task["prose"], max(task["drivers"])
    DBOS(
        config={
            "name": "bench",
            "system_database_url": task["url"],
            "sys_db_pool_size": POOL_SIZE,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    with ThreadPoolExecutor(most) as threads:
        measure(threads, WARM_RUNS, WARM_STEPS, most)
        results = {
            count: measure(threads, task["runs"], task["steps"], count) for count in task["drivers"]
        }
    DBOS.destroy()
    print(json.dumps(results))


def measure(threads: ThreadPoolExecutor, runs: int, steps: int, drivers: int) -> dict[str, Any]:
    started.clear()
    called.clear()
    handles, todo = [], SimpleQueue()
    for _ in range(runs):
        run = uuid.uuid4().hex
        waiting[run] = SimpleQueue()
        with SetWorkflowID(run):
            handles.append(DBOS.start_workflow(chain, run, steps))
        todo.put(run)
    while any(requests.empty() for requests in waiting.values()):
        time.sleep(0.01)
    # Now every workflow is in its first `recv`, or about to be.
    time.sleep(0.2)
    start = time.perf_counter()
    for future in [threads.submit(drive, todo, steps) for _ in range(drivers)]:
        future.result()
    for handle in handles:
        assert handle.get_result() == steps
    seconds = time.perf_counter() - start
    waiting.clear()
    waits = [started[key] - sent for key, sent in called.items()]
    assert len(waits) == runs * (steps - 1)
    return {"seconds": seconds, "waits": waits}


def drive(todo: SimpleQueue, steps: int) -> None:
    while True:
        try:
            run = todo.get_nowait()
        except Empty:
            return
        for _ in range(steps):
            number = waiting[run].get(timeout=PATIENCE_SECONDS)
            if number + 1 < steps:
                called[run, number + 1] = time.time()
            DBOS.send(run, {"action": "approve"})


if __name__ == "__main__":
    main()
