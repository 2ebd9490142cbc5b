"""A worker inside of the test: it does what the queues would bring, until the test is over."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models.functions import Now

from agents.models import Task
from agents.worker.run import run
from orchestrator.engine.advance import advance_project
from projects.models import Project

PAUSE_SECONDS = 0.02


@contextmanager
def work_goes_on() -> Iterator[None]:
    stop = threading.Event()
    worker = threading.Thread(target=_work, args=(stop,))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def _work(stop: threading.Event) -> None:
    try:
        while not stop.wait(PAUSE_SECONDS):
            work_once()
    finally:
        connection.close()


def work_once() -> None:
    """Look at every project that asks for it, and do every task that is due."""
    waiting = Project.objects.filter(attention_since__isnull=False)
    for project in waiting.values_list("pk", flat=True):
        advance_project(project)
    due = Task.objects.filter(status="pending", run_after__lte=Now())
    for task in due.values_list("pk", flat=True):
        run(task_id=task, worker="test:1:1")
