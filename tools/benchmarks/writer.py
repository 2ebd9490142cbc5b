"""Records events: `writer.py PROJECT COUNT PER_SECOND BATCH`; 0 per second: as fast as it goes.

Prints at the end of each transaction its last sequence and when it was committed.
"""

import os
import sys
import time
from uuid import UUID, uuid4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tools.benchmarks.settings")

import django

django.setup()

from django.db import connection, transaction  # noqa: E402

from agents.events import TASK_PROGRESS  # noqa: E402
from audit.actors import Actor  # noqa: E402
from audit.services import Draft, record_all  # noqa: E402
from audit.stream.notifier import hint_counts, publish_hint  # noqa: E402

DRAFT = Draft(TASK_PROGRESS, Actor.of_system("bench"), {"note": "A sentence of work."})


def open_connections() -> None:
    """To the database and to Redis, as a process has them that has worked before."""
    connection.ensure_connection()
    publish_hint(uuid4(), "", 0)
    while hint_counts()["sent"] == 0:
        time.sleep(0.01)


def write(project_id: UUID, count: int, per_second: float, batch: int) -> None:
    start, sequences, times = time.monotonic(), [], []
    for number in range(0, count, batch):
        if per_second:
            time.sleep(max(0, start + number / per_second - time.monotonic()))
        with transaction.atomic():
            # The first hook: before the hint goes out.
            transaction.on_commit(lambda: times.append(time.time()))
            sequences.append(record_all(project_id, [DRAFT] * min(batch, count - number)))
    for sequence, at in zip(sequences, times, strict=True):
        print(sequence, at)


if __name__ == "__main__":
    open_connections()
    write(UUID(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
