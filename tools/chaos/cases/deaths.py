"""Processes are killed, by SIGKILL, at the worst moment."""

from agents.models import Task, TaskAttempt
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run
from tools.chaos.stack import WORKERS

IN_A_WORKER = (
    "after_claim",
    "before_effect",
    "after_effect_before_record",
    "before_commit",
    "after_commit_before_enqueue",
    "after_commit_before_hint",
)


def _die_at(point: str, run: Run) -> None:
    run.begin(6)
    run.decide()
    run.reclaimed(*(run.fall("worker", point, once_armed=run.branch) for _ in range(2)))


def _register(point: str) -> None:
    def die(run: Run) -> None:
        _die_at(point, run)

    die.__name__ = f"kill_{point}"
    die.__doc__ = f"kill -9 of a worker's child at the fault point {point}."
    case(short=point in {"after_effect_before_record", "after_commit_before_enqueue"})(die)


for _point in IN_A_WORKER:
    _register(_point)


@case()
def kill_in_heartbeat(run: Run) -> None:
    """kill -9 of a worker's child while it renews a lease."""
    run.begin(4, mood=Mood(run.seed(), seconds=2))
    run.decide()
    run.reclaimed(*(run.fall("worker", "in_heartbeat") for _ in range(2)))


@case()
def kill_between_pop_and_bookkeeping(run: Run) -> None:
    """kill -9 of a worker's parent that has a message from the broker and has not noted it."""
    run.begin(6)
    run.decide()
    for _ in range(2):
        run.fall("worker", "between_pop_and_bookkeeping")
    run.probe("work goes on after a message was lost")


@case()
def kill_in_replay(run: Run) -> None:
    """kill -9 of a web process while it sends the past to a listener."""
    run.begin(6, follow=3)
    run.decide()
    for _ in range(2):
        run.some_progress(0.1)
        run.crowd.call(run.crowd.proxy.cut)
        run.fall("web", "in_replay")
    run.measure("listeners are caught up after a web process died", run.has_heard_all, 60)


@case(short=True)
def kill_web_in_decision(run: Run) -> None:
    """kill -9 of a web process inside a decision: before its commit, then after it."""
    run.begin(6)
    run.decide()
    # A worker takes the next task along, and hardly ever publishes one.
    after = ("after_commit_before_enqueue", "after_publish_before_mark", "after_commit_before_hint")
    for point in ("before_commit", *after):
        run.fall("web", point)
    run.probe("work goes on after a web process died in a decision")


@case()
def kill_worker_parent(run: Run) -> None:
    """kill -9 of a worker's parent; what its children do is void."""
    run.decide()
    orphans = []
    for name in WORKERS:
        run.begin(4, mood=Mood(run.seed(), seconds=0.3))
        run.until(lambda n=name: run.at_work(n), 30, "somebody is at work")
        children = run.stack.children(name)
        run.stack.kill(name)
        orphans += [run.note_fall(child.pid) for child in children]
    run.reclaimed(*orphans)


@case()
def kill_scheduler(run: Run) -> None:
    """kill -9 of the scheduler: rings that are lost meanwhile wait for its return."""
    run.begin(4)
    run.decide()
    for _ in range(2):
        run.stack.kill("scheduler")
        run.fall("worker", "after_commit_before_enqueue", once_armed=run.branch)
    run.probe("work goes on after the scheduler died")


@case()
def poison_task(run: Run) -> None:
    """A task that kills its worker each time is given to a person after three times."""
    (project,) = run.begin(1, mood=Mood(run.seed(), poison="left"))
    run.begin(3)
    run.decide(only_approves=True)
    poisoned = Task.objects.filter(project=project, step="left", result__error__code="poison_task")
    run.measure("a poison task is with a person", poisoned.exists, 60)
    crashed = TaskAttempt.objects.filter(task__project=project, outcome="crashed").count()
    if crashed != 3:
        raise Broken(f"{crashed} crashes, not 3")


@case()
def kill_worker_child(run: Run) -> None:
    """kill -9 of a worker's child while it works, whatever it does."""
    run.decide()
    victims = []
    for name in WORKERS:
        # Those of before may all be over by now.
        run.begin(4, mood=Mood(run.seed(), seconds=0.3))
        victim = run.until(lambda n=name: run.at_work(n), 30, "somebody is at work")
        victim.kill()
        victims.append(run.note_fall(victim.pid))
    run.reclaimed(*victims)
