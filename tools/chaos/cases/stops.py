"""Processes are stopped in order, as an operator does, or by SIGSTOP."""

import signal
import time
from collections import Counter

from django.core.management import call_command

from hitl.models import HitlRequest
from ops.invariants.histories import read
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run
from tools.chaos.stack import WEBS, WORKERS

ROUND_SECONDS = 20
PROGRAMS = (*WORKERS, "scheduler", *WEBS)


@case(short=True)
def rolling_sigterm(run: Run) -> None:
    """SIGTERM to one part after the other, all of them every 20 s, while work goes on."""
    began, count = time.monotonic(), 0
    for _ in range(1 if run.is_short else 9):
        run.begin(4, mood=Mood(run.seed()))
        run.decide(only_approves=True)
        for name in PROGRAMS:
            run.stack.kill(name, signal.SIGTERM)
            count += 1
            until = began + count * ROUND_SECONDS / len(PROGRAMS)
            run.stack.wait(until - time.monotonic())
    run.until(run.are_over, 60, "all projects end")
    check_nothing_ran_twice(run)


@case()
def migrations_while_running(run: Run) -> None:
    """Columns and a table go and come while work goes on; nobody notices."""
    run.begin(6, mood=Mood(run.seed()))
    run.decide()
    for _ in range(2):
        run.some_progress(0.1)
        call_command("migrate", "chaos", "zero", verbosity=0)
        run.stack.wait(1)
        call_command("migrate", "chaos", verbosity=0)
        run.stack.wait(1)


def check_nothing_ran_twice(run: Run) -> None:
    asked = HitlRequest.objects.filter(project__in=run.projects, kind="escalation")
    if escalated := asked.count():
        raise Broken(f"{escalated} escalations")
    tasks = run.tasks()
    keys = Counter(one["key"] for one in read(run.crowd.histories.folder, "ledger.jsonl"))
    twice = [key for key, times in keys.items() if times > 1 and key.split(":")[0] in tasks]
    if twice:
        raise Broken(f"{len(twice)} steps ran twice: {twice[:3]}")
