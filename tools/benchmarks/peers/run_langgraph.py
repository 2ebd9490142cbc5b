"""LangGraph with its PostgresSaver: a program of its own environment, which imports none of ours.

Reads its task from stdin as JSON (`url`, `runs`, `steps`, `drivers`, `prose`) and prints as JSON
what each number of drivers took.

The graph is compiled once. A run is a thread of it; a node makes its artifact and interrupts itself
for the approval, and a driver goes on with `Command(resume=...)`, which runs the node again and
then the next one until it interrupts. So the driver's thread does the step's work, and a model
would be called twice a step; to avoid that one would give the approval a node and a checkpoint of
its own.
The saver is set up as its documentation says: connections with autocommit, prepare_threshold=0 and
dict_row. `durability` stays as it is by default, "async".
"""

import json
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypedDict

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

WARM_RUNS, WARM_STEPS = 8, 3


def main() -> None:
    task = json.load(sys.stdin)
    connection = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    most = max(task["drivers"])
    with (
        ConnectionPool(task["url"], min_size=most, max_size=most + 2, kwargs=connection) as pool,
        ThreadPoolExecutor(most) as threads,
    ):
        pool.wait()
        saver = PostgresSaver(pool)
        saver.setup()
        warm = Bench(saver, WARM_STEPS, task["prose"], threads)
        warm.measure(WARM_RUNS, most)
        bench = Bench(saver, task["steps"], task["prose"], threads)
        results = {count: bench.measure(task["runs"], count) for count in task["drivers"]}
    print(json.dumps(results))


class Bench:
    def __init__(
        self, saver: PostgresSaver, steps: int, prose: str, threads: ThreadPoolExecutor
    ) -> None:
        self.steps, self.prose, self.threads = steps, prose, threads
        #: When a step's function was first entered, and when its start was asked for.
        self.started: dict[tuple[str, int], float] = {}
        self.called: dict[tuple[str, int], float] = {}
        fields: dict[str, Any] = {"run": str} | {f"artifact_{n}": dict for n in range(steps)}
        graph = StateGraph(TypedDict("State", fields))
        for number in range(steps):
            graph.add_node(f"step_{number}", self.node(number))
            graph.add_edge(f"step_{number - 1}" if number else START, f"step_{number}")
        graph.add_edge(f"step_{steps - 1}", END)
        self.graph = graph.compile(checkpointer=saver)

    def node(self, number: int) -> Callable[[dict], dict]:
        def step(state: dict) -> dict:
            self.started.setdefault((state["run"], number), time.time())
            artifact = {"summary": "Done.", "body": f"{state['run']}/{number} {self.prose}"}
            approval = interrupt({"step": number, "artifact": artifact})
            return {f"artifact_{number}": artifact | {"approval": approval}}

        return step

    def measure(self, runs: int, drivers: int) -> dict[str, Any]:
        self.started.clear()
        self.called.clear()
        todo: SimpleQueue[str] = SimpleQueue()
        for _ in range(runs):
            run = uuid.uuid4().hex
            self.graph.invoke({"run": run}, config(run))
            todo.put(run)
        start = time.perf_counter()
        for future in [self.threads.submit(self.drive, todo) for _ in range(drivers)]:
            future.result()
        seconds = time.perf_counter() - start
        waits = [self.started[key] - called for key, called in self.called.items()]
        assert len(waits) == runs * (self.steps - 1)
        return {"seconds": seconds, "waits": waits}

    def drive(self, todo: SimpleQueue) -> None:
        while True:
            try:
                run = todo.get_nowait()
            except Empty:
                return
            for number in range(1, self.steps):
                self.called[run, number] = time.time()
                result = self.graph.invoke(Command(resume={"action": "approve"}), config(run))
                assert "__interrupt__" in result
            result = self.graph.invoke(Command(resume={"action": "approve"}), config(run))
            assert "__interrupt__" not in result


def config(run: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": run}}


if __name__ == "__main__":
    main()
