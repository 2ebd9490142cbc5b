"""Who decides, for ours and for the floor: some threads, each of which takes a run to its end.

A driver that waits for the next request of its run says so and sleeps. One watcher for all of them
asks the database every other millisecond for what they wait for, in one small query.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import psycopg

PAUSE_SECONDS = 0.002
WAIT_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Driven:
    seconds: float
    #: Time before the call of `decide`, by the id of the request.
    called: dict[str, float]
    #: Processor time of the watcher, which is no part of deciding.
    watcher_seconds: float


class Drivers:
    """Threads that are kept from one measurement to the next, with their connections."""

    def __init__(self, url: str, pending: str, decide: Callable[..., Any], most: int = 8) -> None:
        """`pending`: what waits in some runs, as rows of request, run and digest for `decide`."""
        self.pending, self.decide = pending, decide
        self.pool = ThreadPoolExecutor(most)
        self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)

    def close(self) -> None:
        self.pool.shutdown()
        self.connection.close()

    def run(self, drivers: int, runs: Sequence[str], steps: int) -> Driven:
        """Decide so many steps of each of these runs, whose first steps have been announced."""
        self.wait_for_all(runs)
        todo: SimpleQueue[str] = SimpleQueue()
        for run in runs:
            todo.put(run)
        watcher = Watcher(self.waiting)
        called: dict[str, float] = {}
        start = time.perf_counter()
        watcher.start()
        try:
            drive = (self._drive, todo, steps, watcher, called)
            for thread in [self.pool.submit(*drive) for _ in range(drivers)]:
                thread.result()
            seconds = time.perf_counter() - start
        finally:
            watcher.stop()
        return Driven(seconds, called, watcher.seconds)

    def wait_for_all(self, runs: Sequence[str]) -> None:
        limit = time.monotonic() + WAIT_LIMIT_SECONDS
        while len(self.waiting(runs)) < len(runs):
            if time.monotonic() > limit:
                raise TimeoutError("not all first steps were done")
            time.sleep(0.05)

    def waiting(self, runs: Sequence[str]) -> list[tuple]:
        return self.connection.execute(self.pending, [list(runs)]).fetchall()

    def _drive(
        self, todo: SimpleQueue, steps: int, watcher: "Watcher", called: dict[str, float]
    ) -> None:
        while True:
            try:
                run = todo.get_nowait()
            except Empty:
                return
            for _ in range(steps):
                row = watcher.next_of(run)
                called[str(row[0])] = time.time()
                self.decide(*row)


class Watcher(threading.Thread):
    def __init__(self, look: Callable[[Sequence[str]], list[tuple]]) -> None:
        super().__init__(name="watcher")
        self.look = look
        self.seconds = 0.0
        self._asked: dict[str, SimpleQueue[tuple]] = {}
        self._somebody_waits = threading.Event()
        self._is_stopped = False

    def next_of(self, run: str) -> tuple:
        """Sleeps until a request of this run waits."""
        answer: SimpleQueue[tuple] = SimpleQueue()
        self._asked[run] = answer
        self._somebody_waits.set()
        return answer.get(timeout=WAIT_LIMIT_SECONDS)

    def stop(self) -> None:
        self._is_stopped = True
        self._somebody_waits.set()
        self.join()

    def run(self) -> None:
        while not self._is_stopped:
            if not self._asked:
                self._somebody_waits.wait()
                self._somebody_waits.clear()
                continue
            for row in self.look([*self._asked]):
                self._asked.pop(str(row[1])).put(row)
            time.sleep(PAUSE_SECONDS)
        self.seconds = time.thread_time()
