"""An emergency stop, from its row to its release, while other things break."""

from agents.models import EmergencyStop, TaskAttempt
from ops.invariants.histories import read
from tools.chaos.book import case
from tools.chaos.cases.servers import redis_away
from tools.chaos.model import Mood
from tools.chaos.run import Broken, Run
from tools.chaos.stack import WORKERS

STANDS_SECONDS = 4


@case()
def emergency_stop(run: Run) -> None:
    """Staff stop everything; workers die, Redis is emptied, people decide; no agent works."""
    run.begin(6, mood=Mood(run.seed(), seconds=0.5))
    run.decide()
    run.some_progress(0.1)
    stop = _say(run, "emergency-stop/")
    acknowledgements = EmergencyStop.objects.filter(pk=stop)
    run.until(
        lambda: acknowledgements.get().seconds_to_last_acknowledgement, 30, "all workers stop"
    )
    took = acknowledgements.get().seconds_to_last_acknowledgement
    run.note_time("the last worker acknowledges an emergency stop", took)
    before = _work(run)
    for name in WORKERS:
        run.stack.kill(name)
    redis_away(run, 1)
    run.stack.wait(STANDS_SECONDS)
    if _work(run) != before:
        raise Broken("an agent worked while everything was stopped")
    if run.are_over():
        raise Broken("there was nothing to stop")
    _say(run, "emergency-stop/release/")
    run.probe("work goes on after a release")


def _say(run: Run, path: str) -> str:
    said = run.crowd.callers["eve"].post(path, {"reason": "A drill."}, "stop")
    saying = run.crowd.begin(said)
    run.stack.until(saying.done, 30)
    return saying.result(0).json()["id"]


def _work(run: Run) -> tuple[int, int]:
    """Claims, and calls of models."""
    tasks = run.tasks()
    calls = read(run.crowd.histories.folder, "ledger.jsonl")
    claims = TaskAttempt.objects.filter(task__project__in=run.projects)
    return claims.count(), sum(one["key"].split(":")[0] in tasks for one in calls)
