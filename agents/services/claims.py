import logging
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.db.models.functions import Now

from agents.enums import AttemptOutcome, TaskStatus
from agents.events import TASK_RETRIED, TASK_STARTED
from agents.external import external_types
from agents.metrics import count_retry
from agents.models import Task
from agents.protocols import Usage
from agents.queue import enqueue_task_on_commit, may_take_along, take_along
from agents.services.capacity import note_refusal, room_parameters, unbounded
from audit.actors import Actor
from core import sql
from core.disk import disk
from core.errors import DomainError
from projects.enums import ProjectStatus
from projects.transaction import ProjectOf, ProjectTransaction

logger = logging.getLogger(__name__)

RUNS_TASKS = (ProjectStatus.DRAFT, ProjectStatus.ACTIVE)

NO_USAGE = Usage("", model="", calls=0, input_tokens=None, output_tokens=None, cost_micros=None)
REQUEUED = ("status", "waits_for", "lease_expires_at", "fence", "run_after", "enqueued_at")


@dataclass(frozen=True)
class Claim:
    """A worker's right to a task, for as long as no one has raised the fence."""

    task: Task
    fence: int


def claim_task(
    *,
    task_id: UUID,
    worker: str,
    lease_seconds: float | None = None,
    is_external: bool = False,
    check: Callable[[ProjectTransaction], object] = lambda tx: None,
) -> Claim | None:
    """Take a due task; None where it is taken, not due, or of a project that does not run.

    Also None where its project or its model has as many tasks at work as it may have, and where it
    is for workers that run elsewhere and this one does not, or the other way round. `check` looks
    at the locked project first, and may refuse by a DomainError.
    """
    try:
        with ProjectTransaction(ProjectOf("task", task_id), Actor.of_system("worker")) as tx:
            check(tx)
            if tx.project.status not in RUNS_TASKS:
                return None
            claim = _claim(tx, task_id, worker, lease_seconds, is_external)
            if claim is not None:
                tx.actor = Actor.of_agent(claim.task.agent_type)
            return claim
    except DomainError:
        # The project is gone, or was erased; or `check` refused.
        return None


def claim_created_task(tx: ProjectTransaction, worker: str) -> None:
    """Go on with the first task that came of this transaction, where the job has time for it.

    It needs no message and no transaction of its own. Called after the advance.
    """
    if tx.created_tasks and tx.project.status in RUNS_TASKS and may_take_along():
        claim = _claim(tx, tx.created_tasks[0], worker)
        if claim is not None:
            tx.on_commit(lambda: take_along(claim))


def _claim(
    tx: ProjectTransaction,
    task_id: UUID,
    worker: str,
    lease_seconds: float | None = None,
    is_external: bool = False,
) -> Claim | None:
    if disk.is_full():
        # What it would make could not be stored. The sweep enqueues it once there is space.
        return None
    row = sql.fetch_one(
        "claim_task",
        task=task_id,
        worker=worker,
        lease_seconds=lease_seconds or settings.TASK_LEASE_SECONDS,
        external_types=external_types(tx.project),
        is_external=is_external,
        **(unbounded() if is_external else room_parameters(task_id)),
    )
    if row is None:
        if not is_external:
            note_refusal(task_id)
        return None
    (task,) = row
    task.project = tx.project
    tx.record(
        TASK_STARTED,
        actor=Actor.of_agent(task.agent_type),
        task=task,
        agent_type=task.agent_type,
        step=task.step,
        attempt=task.attempt,
    )
    tx.refresh_agent(task.agent_type)
    return Claim(task, task.fence)


def lock_claimed(tx: ProjectTransaction, claim: Claim) -> Task | None:
    """The claimed task under lock; None where another holds it by now.

    The fence has not moved, so no one has written the row since it was claimed. A copy: what is
    changed in it is gone where the transaction is rolled back, and another one may try again.
    """
    if not sql.execute("lock_claimed", task=claim.task.pk, fence=claim.fence):
        return None
    task = copy(claim.task)
    task.project = tx.project
    return task


def hand_back(*, worker_prefix: str) -> int:
    """Put the unfinished tasks of a stopping worker back into the queue; how many there were."""
    tasks = Task.objects.filter(worker__startswith=worker_prefix, status=TaskStatus.WORKING)
    return hand_back_claims([Claim(task, task.fence) for task in tasks], cause="worker_stopped")


def hand_back_claims(claims: Iterable[Claim], *, cause: str) -> int:
    """Put claimed tasks back into the queue; how many. Claims that are lost are left out."""
    claims_by_project: dict[UUID, list[Claim]] = {}
    for claim in claims:
        claims_by_project.setdefault(claim.task.project_id, []).append(claim)
    handed_back = 0
    for project_id, claims_of_project in claims_by_project.items():
        try:
            handed_back += _hand_back_in_project(project_id, claims_of_project, cause)
        except (DatabaseError, DomainError):
            # One project that cannot be locked must not hold up the others.
            logger.exception("tasks not handed back", extra={"project": str(project_id)})
    return handed_back


def _hand_back_in_project(project_id: UUID, claims: Sequence[Claim], cause: str) -> int:
    """One statement for all of its claims, however many there are."""
    with ProjectTransaction(project_id, Actor.of_system("worker")) as tx:
        rows = sql.fetch_all(
            "hand_back",
            project=project_id,
            tasks=[claim.task.pk for claim in claims],
            fences=[claim.fence for claim in claims],
        )
        for task_id, step, agent_type in rows:
            tx.record(TASK_RETRIED, task=task_id, step=step, cause=cause)
            tx.refresh_agent(agent_type)
            enqueue_task_on_commit(task_id)
        agent_types = [agent_type for _, _, agent_type in rows]
        tx.on_commit(lambda: [count_retry(agent_type, cause) for agent_type in agent_types])
    return len(rows)


def give_up(task: Task) -> None:
    """Cancel the task; from now on a result of its worker is refused. Does not save it."""
    if task.status == TaskStatus.WORKING:
        close_attempt(task, AttemptOutcome.CANCELLED)
    task.move(TaskStatus.CANCELLED)
    task.fence, task.finished_at = task.fence + 1, Now()


def close_attempt(
    task: Task,
    outcome: AttemptOutcome,
    *,
    usage: Usage | None = None,
    error_code: str = "",
    error_detail: str = "",
) -> None:
    """Note how the current attempt ended."""
    error = {"error_code": error_code, "error_detail": error_detail}
    sql.execute("close_attempt", **end_of_attempt(task, outcome, usage), **error)


def end_of_attempt(task: Task, outcome: AttemptOutcome, usage: Usage | None) -> dict[str, Any]:
    """Parameters of `close_attempt`, without those of an error."""
    spent = (usage or NO_USAGE).columns()
    return {"task": task.pk, "fence": task.fence, "outcome": str(outcome)} | spent
