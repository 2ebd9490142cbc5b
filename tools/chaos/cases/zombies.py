"""A worker stands still beyond its lease, and wakes up when another has done its work."""

import os
import signal

from agents.models import TaskAttempt
from tools.chaos.book import case
from tools.chaos.model import Mood
from tools.chaos.run import Run
from tools.chaos.stack import both

AWAKE_SECONDS = 3


@case(short=True)
def zombie_before_record(run: Run) -> None:
    """SIGSTOP with the result in hand, SIGCONT when another worker has delivered."""
    run.begin(4, mood=Mood(run.seed()))
    run.decide(only_approves=True)
    _sleep_and_wake(run, "after_effect_before_record")


@case()
def zombie_at_work(run: Run) -> None:
    """SIGSTOP at the beginning of the work, SIGCONT when another worker has delivered."""
    run.begin(4, mood=Mood(run.seed(), seconds=0.2))
    run.decide(only_approves=True)
    _sleep_and_wake(run, "before_effect")


@case(short=True, must_fail=True, workers=both(CHAOS_NO_FENCE="1"))
def zombie_without_fence(run: Run) -> None:
    """Negative control: with the fence check off, the zombie's late write must be found."""
    run.projects.clear()
    run.begin(2, mood=Mood(run.seed()))
    run.decide(only_approves=True)
    _sleep_and_wake(run, "after_effect_before_record")


def _sleep_and_wake(run: Run, point: str) -> None:
    pid = run.fall("worker", point, "stop")
    attempt = run.until(run.attempts_of(pid).first, 10, "the sleeper has a task")
    run.reclaimed(pid, name="a sleeper's task claimed again")
    done = TaskAttempt.objects.filter(
        task=attempt.task_id, fence__gt=attempt.fence, outcome="completed"
    )
    run.until(done.exists, 60, "another worker delivers")
    os.kill(pid, signal.SIGCONT)
    run.stack.wait(AWAKE_SECONDS)
