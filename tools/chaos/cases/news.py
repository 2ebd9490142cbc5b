"""Listeners: many, slow, cut off, and all back at once."""

from django.db import transaction

from agents.events import TASK_PROGRESS
from audit.actors import Actor
from audit.services import Draft, record_all
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Run
from tools.chaos.stack import WEBS

STORM, BATCH = 10_000, 50
SOCKETS = 200


@case()
def storm_with_a_slow_reader(run: Run) -> None:
    """10,000 events in one project, as fast as they can be written; one of the readers is slow."""
    (project,) = run.create(1, Mood(), is_left_alone=True, auto_start=False)
    run.crowd.follow(project, 3)
    run.crowd.follow(project, 1, pause=0.001)
    draft = Draft(TASK_PROGRESS, Actor.of_system("storm"), {"note": "A gust."})
    for _ in range(STORM // BATCH):
        with transaction.atomic():
            record_all(project, [draft] * BATCH)
        run.stack.tend()
    run.measure("all have heard the storm", run.has_heard_all, 120)


@case(short=True)
def sockets_cut(run: Run) -> None:
    """200 sockets are cut in the middle of frames, again and again, while events come in."""
    proxy = run.crowd.proxy
    proxy.cuts_after = (500, 60_000)
    try:
        run.begin(4, follow=SOCKETS // (10 if run.is_short else 4))
        run.decide()
        run.stack.wait(5)
        for _ in range(3):
            run.crowd.call(proxy.cut, 0.3)
            run.stack.wait(1)
    finally:
        proxy.cuts_after = None
    run.crowd.call(proxy.cut)
    run.measure("all have heard everything after the cuts", run.has_heard_all, 60)


@case()
def reconnect_herd(run: Run) -> None:
    """Both web servers die at once, and 200 listeners come back in the same moment."""
    run.begin(4, follow=SOCKETS // 4)
    run.decide()
    run.some_progress(0.5)
    before = [(one, one.connections) for one in run.crowd.listeners]
    for name in WEBS:
        run.stack.kill(name)
    run.measure(
        "the herd is back and has heard everything",
        lambda: all(one.connections > times for one, times in before) and run.has_heard_all(),
        60,
    )


@case()
def proxy_stalled(run: Run) -> None:
    """The way to the web servers stands still for 5 s; nothing is lost or done twice."""
    run.begin(4, follow=3)
    run.decide()
    run.some_progress(0.1)
    run.crowd.call(run.crowd.proxy.stall)
    run.stack.wait(5)
    run.crowd.call(run.crowd.proxy.flow)
