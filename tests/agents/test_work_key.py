"""What a service outside needs to do each piece of work once."""

import pytest

from agents.context_assembly import assignment_of
from agents.models import Task
from agents.protocols import TransientError
from agents.services import Claim, claim_task, fail_attempt, finish_task, requeue_with_answer
from audit.actors import Actor
from projects.transaction import ProjectTransaction
from tests.scenes import pending_task, questions, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(project) -> Task:
    return pending_task(running(project))


def claimed(task: Task) -> Claim:
    Task.objects.filter(pk=task.pk).update(run_after=task.created_at)
    return claim_task(task_id=task.pk, worker="test:1:1")


def test_each_attempt_of_the_same_work_has_the_same_key_and_a_higher_fence(task):
    first = claimed(task)
    fail_attempt(claim=first, error=TransientError("overloaded", "Busy."))
    second = claimed(task)

    one, other = assignment_of(first.task), assignment_of(second.task)
    assert one.key == other.key
    assert one.fence < other.fence


def test_with_an_answer_it_is_other_work(task, owner):
    first = claimed(task)
    finish_task(claim=first, outcome=questions())
    with ProjectTransaction(task.project_id, Actor.of_user(owner)) as tx:
        requeue_with_answer(tx, tx.lock(Task, task.pk), "The members.")
    second = claimed(task)

    assert assignment_of(first.task).key != assignment_of(second.task).key


def test_two_tasks_never_share_a_key(task, make_project):
    other = pending_task(running(make_project(name="Another")))

    assert assignment_of(claimed(task).task).key != assignment_of(claimed(other).task).key
