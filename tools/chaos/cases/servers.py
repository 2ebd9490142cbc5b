"""Redis and PostgreSQL die, stall and come back; connections are cut."""

import shutil
import signal
import statistics
import time
from contextlib import contextmanager

import psycopg
import redis

from ops.invariants.histories import read
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run

# The aim is 1 s, on an idle machine; a loaded one gets the benefit of the doubt.
P99_AIM_MS, P99_LIMIT_MS = 1000, 3000
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename = current_user AND pid <> pg_backend_pid()
"""


@case(short=True)
def redis_killed_and_empty(run: Run) -> None:
    """Redis is killed, and started again with nothing in it."""
    run.begin(6)
    run.decide()
    run.some_progress(0.2)
    redis_away(run, 3)
    run.probe("work goes on after Redis came back empty")


@case()
def redis_away_for_long(run: Run) -> None:
    """Redis is away for 30 s and comes back empty: how soon do workers and scheduler notice?"""
    run.begin(3)
    run.decide()
    redis_away(run, 30)
    run.probe("work goes on after Redis was away for 30 s")


def redis_away(run: Run, seconds: float) -> None:
    stack = run.stack
    stack.hold("redis")
    stack.kill("redis")
    stack.wait(seconds)
    for path in stack.redis.data.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    stack.release("redis")
    run.until(stack.redis.answers, 30, "Redis is back")


@case()
def redis_stalled(run: Run) -> None:
    """Redis takes connections and does not answer, for 20 s; requests are served all the same."""
    run.begin(6)
    run.decide()
    run.some_progress(0.1)
    began = time.time()
    run.stack.kill("redis", signal.SIGSTOP)
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            # They run through by themselves later: no person need follow.
            run.create(1, Mood(run.seed()), oversight_level="low")
            run.stack.wait(0.5)
    finally:
        run.stack.kill("redis", signal.SIGCONT)
    ended = time.time()
    run.probe("work goes on after Redis stalled")
    _check_served(run, began, ended)


def _check_served(run: Run, begun: float, ended: float) -> None:
    answers = read(run.crowd.histories.folder, "answers.jsonl")
    # Also those that had their answer only when Redis went on.
    taken = [one["ms"] for one in answers if begun <= one["sent"] <= ended]
    p99 = statistics.quantiles(taken, n=100, method="inclusive")[98]
    run.note_time(f"API p99 of {len(taken)} while Redis stalled", p99 / 1000)
    if p99 > P99_LIMIT_MS:
        raise Broken(f"p99 {p99:.0f} ms, the aim is {P99_AIM_MS}")


@case()
def postgres_immediate(run: Run) -> None:
    """PostgreSQL is stopped in immediate mode and recovers from its log, three times."""
    run.begin(6)
    run.decide()
    for _ in range(3):
        run.stack.wait(2)
        with outage(run):
            run.stack.kill("postgres", signal.SIGQUIT)
            run.stack.until(lambda: not run.stack.postgres.answers(), 10)
            run.until(run.stack.postgres.answers, 60, "PostgreSQL is back")
    run.probe("work goes on after PostgreSQL came back")


@case(short=True)
def connections_cut(run: Run) -> None:
    """Every connection to PostgreSQL, Redis and the web servers is cut, three times."""
    run.begin(6, follow=3)
    run.decide()
    for _ in range(3):
        run.stack.wait(1.5)
        with outage(run), psycopg.connect(run.stack.postgres.url) as connection:
            connection.execute(CUT)
        redis.Redis.from_url(run.stack.redis.url).client_kill_filter(_type="normal")
        run.crowd.call(run.crowd.proxy.cut)
    run.probe("work goes on after all connections were cut")


@contextmanager
def outage(run: Run):
    begun = time.time()
    try:
        yield
    finally:
        run.crowd.histories.note("outages", begun=begun)
