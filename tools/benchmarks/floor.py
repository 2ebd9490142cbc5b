"""What the same machine does with nothing of ours in the way."""

import multiprocessing
import time

import psycopg
from django.conf import settings
from redis import Redis

from tools.benchmarks.stack import WORKER_PROCESSES
from tools.benchmarks.tasks import link, tell_when_started

SCRATCH = "CREATE TABLE IF NOT EXISTS bench_scratch (id bigserial PRIMARY KEY, state text)"


def celery_jobs_a_second(chains: int, links: int) -> float:
    """Chains of no-op jobs, each ringing for the next one."""
    redis, key = Redis.from_url(settings.REDIS_URL, socket_timeout=None), "bench:chains"
    redis.delete(key)
    start = time.perf_counter()
    for _ in range(chains):
        link.delay(settings.REDIS_URL, key, links)
    for _ in range(chains):
        redis.blpop([key], timeout=120)
    return chains * links / (time.perf_counter() - start)


def celery_start_seconds(count: int) -> list[float]:
    """From `delay()` to the first line of the job, one job at a time."""
    redis, key = Redis.from_url(settings.REDIS_URL, socket_timeout=None), "bench:started"
    waits = []
    for _ in range(count):
        asked = time.time()
        tell_when_started.delay(settings.REDIS_URL, key)
        _, started = redis.blpop([key], timeout=30)
        waits.append(float(started) - asked)
    return waits


def sql_transactions_a_second(url: str, each: int) -> float:
    """INSERT + UPDATE + COMMIT, from as many processes as the worker has."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCRATCH)
    context = multiprocessing.get_context("spawn")
    start = time.perf_counter()
    writers = [
        context.Process(target=write_rows, args=(url, each)) for _ in range(WORKER_PROCESSES)
    ]
    with psycopg.connect(url):
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    spent = time.perf_counter() - start
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE bench_scratch")
    return WORKER_PROCESSES * each / spent


def write_rows(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        for _ in range(count):
            row = connection.execute(
                "INSERT INTO bench_scratch (state) VALUES ('pending') RETURNING id"
            ).fetchone()
            connection.execute(
                "UPDATE bench_scratch SET state = 'completed' WHERE id = %s", [row[0]]
            )
            connection.commit()
