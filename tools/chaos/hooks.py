"""What a chaos run changes in the processes of the product, and nowhere else."""

import os
from pathlib import Path
from typing import Any

from core.failpoints import failpoint

FENCELESS = "SELECT 1 FROM tasks WHERE id = %(task)s AND %(fence)s > 0 FOR NO KEY UPDATE"
COPIES = 5


def install() -> None:
    from orchestrator.engine import definition

    definition.WORKFLOWS = Path(__file__).parent / "workflows"
    if os.environ.get("CHAOS_NO_FENCE"):
        _switch_fence_check_off()
    if os.environ.get("FAULT"):
        _fall_between_pop_and_bookkeeping()
    _enqueue_several_times()


def _switch_fence_check_off() -> None:
    """The negative control: with this, a zombie's late write must be found."""
    from core import sql

    sql.replace("lock_claimed", FENCELESS)


def _fall_between_pop_and_bookkeeping() -> None:
    """The broker has given the message out, and not yet noted that it is unacknowledged."""
    from kombu.transport.redis import QoS

    note = QoS.append

    def append(self: Any, *args: Any, **kwargs: Any) -> Any:
        failpoint("between_pop_and_bookkeeping")
        return note(self, *args, **kwargs)

    QoS.append = append


def _enqueue_several_times() -> None:
    """While the file `enqueue_five_times` is there, every job is put into the queue five times."""
    from agents.queue import ADVANCE, RUN_TASK
    from orchestrator.celery import app

    switch = Path(os.environ["CHAOS_HOME"]) / "enqueue_five_times"
    send = app.send_task

    def send_several(name: str, *args: Any, **kwargs: Any) -> Any:
        for _ in range(COPIES - 1 if name in (ADVANCE, RUN_TASK) and switch.exists() else 0):
            send(name, *args, **kwargs)
        return send(name, *args, **kwargs)

    app.send_task = send_several
