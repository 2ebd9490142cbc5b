from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now

from agents.models import Task, TaskAttempt
from agents.services import cancel_task, claim_task, hand_back
from audit.actors import Actor
from projects.services import cancel_project, pause_project, resume_project
from tests.scenes import HOUR, WORKER, agent_status, claim, event_data, first_task, fresh, side_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]


def test_a_due_task_is_taken_with_a_lease(project):
    task = first_task(project)

    taken = claim(task)

    now = fresh(task)
    assert (now.status, now.attempt, now.fence, now.worker) == ("working", 1, 1, WORKER)
    assert taken.fence == 1
    assert Task.objects.filter(pk=task.pk, lease_expires_at__gt=Now()).exists()
    assert now.started_at is not None


def test_a_claim_leaves_an_attempt_and_an_event(project):
    task = first_task(project)

    claim(task)

    attempt = TaskAttempt.objects.get(task=task)
    assert (attempt.number, attempt.fence, attempt.outcome) == (1, 1, "running")
    assert attempt.worker == WORKER
    assert event_data(task, "task_started") == [
        {"agent_type": "orchestrator", "step": "orchestrate", "attempt": 1}
    ]


def test_the_board_follows(project):
    task = first_task(project)
    before = agent_status(task)

    claim(task)
    during = agent_status(task)
    hand_back(worker_prefix=WORKER)

    assert (before, during, agent_status(task)) == ("idle", "working", "idle")
    assert [(e["old"], e["new"]) for e in event_data(task, "agent_status_changed")] == [
        ("idle", "working")
    ]


def test_a_task_before_its_time_is_left_alone(project):
    task = first_task(project)
    Task.objects.update(run_after=Now() + HOUR)

    assert claim_task(task_id=task.pk, worker=WORKER) is None
    assert fresh(task).status == "pending"


def test_a_task_is_taken_once(project):
    task = first_task(project)
    claim(task)

    assert claim_task(task_id=task.pk, worker="test:2:2") is None
    assert (fresh(task).worker, fresh(task).attempt) == (WORKER, 1)
    assert TaskAttempt.objects.count() == 1


def test_a_cancelled_task_is_not_taken(project, owner):
    task = first_task(project)
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)

    assert claim_task(task_id=task.pk, worker=WORKER) is None
    assert fresh(task).status == "cancelled"


def test_an_unknown_task_is_not_taken(db):
    assert claim_task(task_id=uuid4(), worker=WORKER) is None


def test_nothing_is_taken_while_the_project_is_paused(project, owner):
    task = first_task(project)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    while_paused = claim_task(task_id=task.pk, worker=WORKER)
    resume_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert while_paused is None
    assert claim(task).fence == 1


def test_nothing_is_taken_of_a_cancelled_project(project, owner):
    task = first_task(project)
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert claim_task(task_id=task.pk, worker=WORKER) is None


def test_work_on_its_own_is_taken_in_a_draft_too(project):
    assert claim(side_task(project)).task.status == "working"


def test_the_fence_grows_with_every_claim_and_return(project):
    task = first_task(project)

    fences = []
    for _ in range(3):
        fences.append(claim(task).fence)
        hand_back(worker_prefix=WORKER)

    assert fences == [1, 3, 5]
    assert list(TaskAttempt.objects.values_list("fence", "outcome")) == [
        (fence, "handed_back") for fence in fences
    ]


def test_a_worker_gives_back_only_its_own(project):
    task = first_task(project)
    claim(task, "host:12:99")

    assert hand_back(worker_prefix="host:1:") == 0
    assert hand_back(worker_prefix="host:12:") == 1
    assert hand_back(worker_prefix="host:12:") == 0


def test_what_is_given_back_costs_no_attempt(project):
    task = first_task(project)
    claim(task)

    hand_back(worker_prefix=WORKER)

    now = fresh(task)
    assert (now.status, now.attempt, now.fence, now.crashes) == ("pending", 0, 2, 0)
    assert event_data(task, "task_retried") == [{"step": "orchestrate", "cause": "worker_stopped"}]
    assert claim(task).task.attempt == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_claims_at_once_one_gets_the_task(project):
    task = first_task(project)
    together = Barrier(2)

    def race(worker: str):
        try:
            together.wait(10)
            return claim_task(task_id=task.pk, worker=worker)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(race, ["test:1:1", "test:2:2"]))

    winners = [one for one in taken if one is not None]
    assert len(winners) == 1
    assert fresh(task).worker == winners[0].task.worker
    assert TaskAttempt.objects.count() == 1
    assert len(event_data(task, "task_started")) == 1
