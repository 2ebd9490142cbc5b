"""What the tests of tasks do: claim, move the clock in the database, look at what is there."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from agents.models import AgentStatus, Task
from agents.services import Claim, claim_task
from audit.models import Event
from projects.models import Project
from tests.scenes import pending_task, running

WORKER = "test:1:1"
HOUR = timedelta(hours=1)


def first_task(project: Project) -> Task:
    """The pending task of a started project's first step."""
    return pending_task(running(project))


def claim(task: Task, worker: str = WORKER) -> Claim:
    taken = claim_task(task_id=task.pk, worker=worker)
    assert taken is not None
    return taken


def make_due(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(run_after=Now())


def let_lease_run_out(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(lease_expires_at=Now() - HOUR)


def seen(task: Task) -> Task:
    """The task as it is in the database."""
    return Task.objects.get(pk=task.pk)


def board(task: Task) -> str:
    return AgentStatus.objects.get(project=task.project_id, agent_type=task.agent_type).status


def events(task: Task, event_type: str) -> list[dict[str, Any]]:
    found = Event.objects.filter(task=task.pk, event_type=event_type)
    return list(found.order_by("sequence").values_list("data", flat=True))


def log_length(task: Task) -> int:
    return Event.objects.filter(project=task.project_id).count()


def in_background(act: Callable[[], object]) -> threading.Thread:
    """In a thread, on a connection of its own."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
