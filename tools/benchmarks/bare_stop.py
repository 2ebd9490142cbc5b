"""The floor of an emergency stop, without Django: a message heard, and one UPDATE."""

import multiprocessing
import time
import uuid
from multiprocessing.synchronize import Event as Flag

import psycopg
from redis import Redis

from tools.benchmarks.stack import WORKER_PROCESSES

PATIENCE_SECONDS = 30.0
CHANNEL = "bench:stop"
SCRATCH = "CREATE TABLE IF NOT EXISTS bench_said (worker text PRIMARY KEY, at timestamptz)"


def bare_seconds(dsn: str, redis_url: str, rounds: int) -> list[float]:
    """From one INSERT and PUBLISH to the last process's UPDATE."""
    context = multiprocessing.get_context("spawn")
    names = [uuid.uuid4().hex for _ in range(WORKER_PROCESSES)]
    with psycopg.connect(dsn, autocommit=True) as database, Redis.from_url(redis_url) as redis:
        database.execute(SCRATCH)
        flags = [context.Event() for _ in names]
        processes = [
            context.Process(target=listen, args=(dsn, redis_url, name, flag), daemon=True)
            for name, flag in zip(names, flags, strict=True)
        ]
        for process in processes:
            process.start()
        try:
            for flag in flags:
                assert flag.wait(PATIENCE_SECONDS)
            return [_round(database, redis, names) for _ in range(rounds)]
        finally:
            for process in processes:
                process.kill()
                process.join()
            database.execute("DROP TABLE bench_said")


def _round(database: psycopg.Connection, redis: Redis, names: list[str]) -> float:
    database.execute("DELETE FROM bench_said")
    began = database.execute("SELECT clock_timestamp()").fetchone()[0]
    for name in names:
        database.execute("INSERT INTO bench_said (worker) VALUES (%s)", [name])
    redis.publish(CHANNEL, "look")
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        count, last = database.execute("SELECT count(at), max(at) FROM bench_said").fetchone()
        if count == len(names):
            return (last - began).total_seconds()
        assert time.monotonic() < limit
        time.sleep(0.005)


def listen(dsn: str, redis_url: str, name: str, is_ready: Flag) -> None:
    with psycopg.connect(dsn, autocommit=True) as database, Redis.from_url(redis_url) as redis:
        hints = redis.pubsub(ignore_subscribe_messages=True)
        hints.subscribe(CHANNEL)
        is_ready.set()
        while True:
            if hints.get_message(timeout=PATIENCE_SECONDS):
                database.execute(
                    "UPDATE bench_said SET at = clock_timestamp() WHERE worker = %s", [name]
                )
