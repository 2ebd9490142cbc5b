"""Jobs come several times, late, and to workers with a wrong clock."""

import redis

from agents.models import Task
from audit.models import Stream
from tools.chaos.book import case
from tools.chaos.cases.stops import check_nothing_ran_twice
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run
from tools.chaos.stack import WORKERS, both

HOUR = 3600
AHEAD = both(CHAOS_CLOCK_OFFSET=str(HOUR))
APART = AHEAD | {WORKERS[1]: {"CHAOS_CLOCK_OFFSET": str(-HOUR)}}


@case(short=True)
def each_job_five_times(run: Run) -> None:
    """Every job is put into the queue five times; each step is worked on once."""
    switch = run.crowd.histories.folder / "enqueue_five_times"
    switch.touch()
    try:
        run.begin(4, mood=Mood(run.seed()))
        run.decide(only_approves=True)
        run.until(run.are_over, 60, "all projects end")
    finally:
        switch.unlink()
    check_nothing_ran_twice(run)


@case(workers={})
def jobs_an_hour_late(run: Run) -> None:
    """Jobs of work that is done, or with a person, come again: five times, to clocks an hour on."""
    run.begin(4, mood=Mood(run.seed()))
    run.decide(only_approves=True)
    run.until(run.are_over, 60, "all projects end")
    waiting = run.create(2, Mood(run.seed()), is_left_alone=True)
    asked = Task.objects.filter(project__in=waiting, status="waiting_for_hitl")
    run.until(lambda: asked.count() == len(waiting), 30, "a person is asked")
    run.dress(AHEAD)
    before = _heads(run)
    _deliver_again(run, 5)
    if _heads(run) != before:
        raise Broken("late jobs have changed something")


@case(workers=AHEAD)
def clocks_ahead(run: Run) -> None:
    """Both workers' clocks are an hour ahead of the scheduler's; what is lost is still found."""
    run.begin(4, mood=Mood(run.seed()))
    run.decide(only_approves=True)
    run.reclaimed(run.fall("worker", "after_claim"))
    run.until(run.are_over, 60, "all projects end")


@case(workers=APART)
def clocks_apart(run: Run) -> None:
    """One worker's clock is an hour ahead, the other's an hour behind."""
    run.begin(4, mood=Mood(run.seed(), errors=0.3))
    run.decide(only_approves=True)
    run.reclaimed(run.fall("worker", "after_claim"))
    run.until(run.are_over, 60, "all projects end")


def _heads(run: Run) -> dict:
    streams = Stream.objects.filter(project__in=run.projects)
    return dict(streams.values_list("project", "sequence"))


def _deliver_again(run: Run, times: int) -> None:
    from agents.tasks import run_task
    from orchestrator.tasks import advance

    late = [(run_task, task) for task in run.tasks()] + [(advance, one) for one in run.projects]
    late *= times
    run.chance.shuffle(late)
    for job, id in late:
        job.apply_async((id,))
    client = redis.Redis.from_url(run.stack.redis.url)
    run.until(lambda: client.llen("engine") + client.llen("agents") == 0, 60, "empty queues")
    # What was taken last may still be looked at.
    run.stack.wait(1)
