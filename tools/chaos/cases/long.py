"""At the product's own times, and over several rounds."""

from math import inf
from typing import NamedTuple

import psutil
import redis
from django.db import connection

from agents.models import Task
from projects.models import Project
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run
from tools.chaos.stack import WEBS, WORKERS, both

RECLAIM_SECONDS = 40
# Caches and pools fill; what leaks grows with each round.
GROWN_CONNECTIONS, GROWN_BYTES = 6, 12 * 2**20


@case(workers=both(CHAOS_TIMES="product"))
def product_times(run: Run) -> None:
    """The product's own lease and pauses: how long a lost task and a lost message wait."""
    run.begin(4, mood=Mood(run.seed()))
    run.decide(only_approves=True)
    lost = run.fall("worker", "after_claim")
    # The message for what follows a decision is sent by the process that recorded it.
    run.fall("web", "after_commit_before_enqueue")
    run.measure("a lost message is made up for", lambda: not _waits(run), 40)
    name = "a lost task claimed again at the product's times"
    run.reclaimed(lost, name=name)
    if run.measured.get(name, inf) > RECLAIM_SECONDS:
        raise Broken(f"a lost task waited for {run.measured.get(name)} s")


def _waits(run: Run) -> bool:
    """For the engine, or for a worker."""
    mine = Project.objects.filter(pk__in=run.projects, status="active")
    waiting = Task.objects.filter(project__in=run.projects, status="pending")
    return mine.filter(attention_since__isnull=False).exists() or waiting.exists()


class Worn(NamedTuple):
    database: int
    redis: int
    memory: dict[tuple[str, int], int]


@case()
def nothing_leaks(run: Run) -> None:
    """The same load three times: connections and memory are the same after each."""
    worn = []
    for _ in range(3):
        run.begin(4, mood=Mood(run.seed()), follow=2)
        run.decide(only_approves=True)
        run.until(run.are_over, 60, "all projects end")
        run.until(run.has_heard_all, 60, "all have heard everything")
        run.stack.wait(1)
        worn.append(_worn(run))
    _check_flat(run, worn[1], worn[2])


def _worn(run: Run) -> Worn:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user")
        backends = cursor.fetchone()[0]
    with redis.Redis.from_url(run.stack.redis.url) as client:
        clients = len(client.client_list())
    return Worn(backends, clients, dict(_memory(run)))


def _memory(run: Run):
    for name in (*WORKERS, *WEBS):
        process = run.stack.process(name)
        for one in [process, *process.children()]:
            yield (name, one.pid), psutil.Process(one.pid).memory_info().rss


def _check_flat(run: Run, before: Worn, after: Worn) -> None:
    grown = {
        who: after.memory[who] - before.memory[who] for who in before.memory if who in after.memory
    }
    run.counted["connections to the database"] = after.database
    run.counted["KiB that one process grew at most"] = max(grown.values()) // 1024
    if after.database - before.database > GROWN_CONNECTIONS:
        raise Broken(f"connections to the database: {before.database}, then {after.database}")
    if after.redis - before.redis > GROWN_CONNECTIONS:
        raise Broken(f"connections to Redis: {before.redis}, then {after.redis}")
    for who, grew in grown.items():
        if grew > GROWN_BYTES:
            raise Broken(f"{who} grew by {grew / 2**20:.0f} MB in one round")
