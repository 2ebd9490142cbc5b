import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from agents.models import Task, TaskAttempt
from agents.services import (
    enqueue_due_tasks,
    finish_task,
    take_back_lost_tasks,
)
from audit.actors import Actor
from projects.services import pause_project
from tests.scenes import (
    HOUR,
    agent_status,
    claim,
    event_count,
    event_data,
    first_task,
    fresh,
    let_lease_run_out,
    make_due,
    side_task,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]


def test_a_lost_task_is_pending_again_at_once(project):
    task = first_task(project)
    claim(task)
    let_lease_run_out(task)

    assert take_back_lost_tasks() == 1

    now = fresh(task)
    assert (now.status, now.attempt, now.fence, now.crashes) == ("pending", 1, 2, 1)
    assert now.lease_expires_at is None
    assert event_data(task, "task_retried") == [
        {"step": "orchestrate", "attempt": 1, "cause": "worker_lost"}
    ]
    assert TaskAttempt.objects.get().error_code == "worker_lost"
    assert agent_status(task) == "idle"
    assert claim(task, "test:2:2").task.attempt == 2


def test_taking_back_twice_takes_back_once(project):
    task = first_task(project)
    claim(task)
    let_lease_run_out(task)
    take_back_lost_tasks()
    length = event_count(task)

    assert take_back_lost_tasks() == 0
    assert (fresh(task).fence, event_count(task)) == (2, length)


@pytest.mark.administrator
def test_a_task_that_cannot_be_taken_back_holds_up_no_other(project):
    stuck, other = first_task(project), side_task(project)
    for task in (stuck, other):
        claim(task)
        let_lease_run_out(task)
    refuse_writes_to(stuck)

    assert take_back_lost_tasks() == 1
    assert (fresh(stuck).status, fresh(other).status) == ("working", "pending")


def refuse_writes_to(task):
    """Something is wrong with this one row, whatever it is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'not this one'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON tasks FOR EACH ROW"
            f" WHEN (OLD.id = '{task.pk}') EXECUTE FUNCTION pg_temp.refuse()"
        )


def test_a_task_with_a_lease_stays_with_its_worker(project):
    task = first_task(project)
    claim(task)

    assert take_back_lost_tasks() == 0
    assert fresh(task).status == "working"


def test_a_task_that_ran_over_its_lease_may_finish_until_it_is_taken_back(project):
    task = first_task(project)
    held = claim(task)
    let_lease_run_out(task)

    assert finish_task(claim=held, outcome=work()) is True
    assert take_back_lost_tasks() == 0


def test_a_lost_task_of_a_paused_project_is_taken_back_and_waits(project, owner):
    task = first_task(project)
    claim(task)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    let_lease_run_out(task)

    assert take_back_lost_tasks() == 1
    assert fresh(task).status == "pending"
    Task.objects.update(enqueued_at=None)
    assert enqueue_due_tasks() == 0


def test_a_due_task_is_enqueued_again_only_after_a_while(project):
    task = first_task(project)
    due_again = enqueue_due_tasks()
    Task.objects.update(enqueued_at=F("enqueued_at") - HOUR)

    assert (due_again, enqueue_due_tasks(), enqueue_due_tasks()) == (0, 1, 0)
    assert fresh(task).status == "pending"


def test_a_retry_is_enqueued_when_it_is_due_and_not_before(project):
    task = first_task(project)
    Task.objects.update(run_after=Now() + HOUR, enqueued_at=None)
    before = enqueue_due_tasks()
    make_due(task)

    assert (before, enqueue_due_tasks()) == (0, 1)


def test_work_of_a_draft_is_enqueued_too(project):
    side_task(project)
    Task.objects.update(enqueued_at=None)

    assert enqueue_due_tasks() == 1
