"""What a chaos run changes in the processes of the product, and nowhere else."""

import os
from pathlib import Path
from typing import Any

from core.failpoints import failpoint

FENCELESS = "SELECT 1 FROM tasks WHERE id = %s AND %s > 0 FOR NO KEY UPDATE"
COPIES = 5


def install() -> None:
    from orchestrator.engine import definition

    definition.WORKFLOWS = Path(__file__).parent / "workflows"
    if os.environ.get("CHAOS_NO_FENCE"):
        _switch_fence_check_off()
    if os.environ.get("FAULT"):
        _fall_between_pop_and_bookkeeping()
    _ring_several_times()


def _switch_fence_check_off() -> None:
    """The negative control: with this, a zombie's late write must be found."""
    from agents.services import claims, results

    claims.LOCK_CLAIMED = FENCELESS
    # Else a constraint of the table would still refuse a row whose fence is below its attempts.
    results.RESULT.remove("fence")


def _fall_between_pop_and_bookkeeping() -> None:
    """The broker has given the message out, and not yet noted that it is unacknowledged."""
    from kombu.transport.redis import QoS

    note = QoS.append

    def append(self: Any, *args: Any, **kwargs: Any) -> Any:
        failpoint("between_pop_and_bookkeeping")
        return note(self, *args, **kwargs)

    QoS.append = append


def _ring_several_times() -> None:
    """While the file `ring_five_times` is there, every job is put into the queue five times."""
    from agents.tasks import run_task
    from orchestrator.tasks import advance

    switch = Path(os.environ["CHAOS_HOME"]) / "ring_five_times"
    for job in (run_task, advance):
        job.delay = _multiplied(job.delay, switch)


def _multiplied(delay: Any, switch: Path) -> Any:
    def several(*args: Any) -> Any:
        for _ in range(COPIES - 1 if switch.exists() else 0):
            delay(*args)
        return delay(*args)

    return several
