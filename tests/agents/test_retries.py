import pytest

from agents.models import Task, TaskAttempt
from agents.protocols import PermanentError, TransientError
from agents.services import (
    cancel_task,
    claim_task,
    fail_attempt,
    finish_task,
    retry_task,
    take_back_lost_tasks,
)
from audit.actors import Actor
from core.errors import Conflict
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from tests.scenes import (
    WORKER,
    agent_status,
    claim,
    decide_as,
    event_data,
    first_task,
    fresh,
    let_lease_run_out,
    make_due,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project", "whole_logs")]

BUSY = TransientError("http_503", "The provider is busy.")
WRONG = PermanentError("no_such_model", "The provider does not know the model.")


def fail(task, error=BUSY) -> float:
    """Seconds from the end of the attempt until the task is due, by the database's clock."""
    fail_attempt(claim=claim(task), error=error)
    ended = TaskAttempt.objects.filter(task=task).order_by("fence").last().finished_at
    return (fresh(task).run_after - ended).total_seconds()


def wear_out(task) -> None:
    for _ in range(3):
        fail(task)
        make_due(task)


def test_a_transient_error_waits_longer_each_time(project):
    task = first_task(project)

    for delay in (1, 2, 4):
        waited = fail(task)
        # The two times are those of two statements of one transaction; the exact delay is noted.
        assert delay - 0.5 <= waited <= delay * 1.25 + 0.5
        assert fresh(task).status == "pending"
        assert claim_task(task_id=task.pk, worker=WORKER) is None
        make_due(task)

    noted = [event["delay_ms"] for event in event_data(task, "task_retried")]
    assert [1000 <= noted[0] <= 1250, 2000 <= noted[1] <= 2500, 4000 <= noted[2] <= 5000]
    assert fresh(task).failures == 3


def test_tasks_that_fail_together_do_not_return_together(make_project):
    waits = {round(fail(first_task(make_project())), 3) for _ in range(4)}

    assert len(waits) > 1


@pytest.mark.parametrize(("asked", "least"), [(30, 30), (0.1, 1), (None, 1)])
def test_a_provider_that_names_its_time_is_given_it(project, asked, least):
    task = first_task(project)

    waited = fail(task, TransientError("http_429", "Slow down.", retry_after=asked))

    assert least - 0.2 <= waited <= least * 1.25


def test_a_long_wait_tells_people_and_can_be_ended(project, owner, viewer, client_of):
    task = first_task(project)

    fail(task, TransientError("model_rate_limited", "Slow down.", retry_after=2099))

    [told] = event_data(task, "task_delayed")
    assert (told["code"], told["detail"]) == ("model_rate_limited", "Slow down.")
    path = f"/api/v1/projects/{project.pk}/progress/"
    [wait] = client_of(viewer).get(path).json()["waiting_for"]
    assert (wait["last_failure"]["code"], wait["last_failure"]["attempt"]) == (told["code"], 1)
    assert wait["next_attempt_at"] == f"{fresh(task).run_after:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert client_of(viewer).post(f"/api/v1/tasks/{task.pk}/retry/").status_code == 403
    assert client_of(owner).post(f"/api/v1/tasks/{task.pk}/retry/").status_code == 200
    assert fresh(task).failures == 1
    assert claim(task).task.answers == []


def test_a_short_wait_tells_nobody(project):
    task = first_task(project)

    fail(task, TransientError("model_rate_limited", "Slow down.", retry_after=200))

    assert event_data(task, "task_delayed") == []


def test_an_escalation_is_tried_again_without_a_word_to_the_agent(project, approver):
    task = first_task(project)
    fail(task, WRONG)
    [request] = HitlRequest.objects.pending().filter(task=task)

    decide_as(approver, request, "try_again", comment="")

    again = fresh(task)
    assert (again.status, again.failures, again.answers) == ("pending", 0, [])
    assert again.handoff == task.handoff
    assert fresh(request).status == "answered"
    # It may fail the same way again, and people are asked again.
    fail(task, WRONG)
    assert HitlRequest.objects.pending().get(task=task).previous == request


def test_a_retry_says_why_and_leaves_the_agent_idle(project):
    task = first_task(project)

    fail(task)

    retried = event_data(task, "task_retried")[0]
    assert (retried["code"], retried["attempt"]) == ("http_503", 1)
    assert retried["detail"] == "The provider is busy."
    assert agent_status(task) == "idle"
    assert TaskAttempt.objects.get().outcome == "transient_error"


def test_a_task_that_fails_and_then_works_is_done(project):
    task = first_task(project)
    fail(task)
    make_due(task)

    finish_task(claim=claim(task), outcome=work())

    assert fresh(task).attempt == 2
    assert fresh(task).waits_for == "plan_approval"


def test_after_the_last_retry_a_person_decides(project):
    task = first_task(project)
    wear_out(task)

    fail(task)
    advance_project(project.pk)

    request = HitlRequest.objects.get()
    assert (fresh(task).status, request.kind) == ("waiting_for_hitl", "escalation")
    assert request.subject["error"]["code"] == "http_503"
    assert fresh(task).attempt == 4
    assert agent_status(task) == "waiting_for_hitl"


def test_a_permanent_error_is_a_persons_matter_at_once(project):
    task = first_task(project)

    fail(task, WRONG)
    advance_project(project.pk)

    assert (fresh(task).attempt, fresh(task).waits_for) == (1, "escalation")
    assert HitlRequest.objects.get().subject["error"] == {
        "code": "no_such_model",
        "detail": "The provider does not know the model.",
    }
    assert event_data(task, "task_retried") == []
    assert TaskAttempt.objects.get().outcome == "permanent_error"


def test_three_lost_workers_make_a_task_poison(project):
    task = first_task(project)
    for _ in range(3):
        claim(task)
        let_lease_run_out(task)
        assert take_back_lost_tasks() == 1

    advance_project(project.pk)

    now = fresh(task)
    assert (now.crashes, now.attempt, now.waits_for) == (3, 3, "escalation")
    assert HitlRequest.objects.get().subject["error"]["code"] == "poison_task"
    assert set(TaskAttempt.objects.values_list("outcome", flat=True)) == {"crashed"}


def test_lost_workers_and_failures_are_counted_apart(project):
    task = first_task(project)
    for _ in range(2):
        claim(task)
        let_lease_run_out(task)
        take_back_lost_tasks()

    wear_out(task)

    assert (fresh(task).crashes, fresh(task).failures, fresh(task).status) == (2, 3, "pending")


def test_a_retry_by_hand_starts_with_a_fresh_budget(project, owner):
    task = first_task(project)
    wear_out(task)
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)

    retry_task(actor=Actor.of_user(owner), task_id=task.pk)

    now = fresh(task)
    assert (now.status, now.failures, now.crashes, now.result) == ("pending", 0, 0, {})
    assert event_data(task, "task_retried")[-1]["by_hand"] is True
    assert claim(task).task.attempt == 4


def test_a_cancelled_running_task_closes_its_attempt(project, owner):
    task = first_task(project)
    claim(task)

    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)

    attempt = TaskAttempt.objects.get()
    assert attempt.outcome == "cancelled"
    assert attempt.finished_at is not None
    assert agent_status(task) == "idle"


def test_a_task_that_a_rewind_dropped_is_not_retried(project, owner):
    task = first_task(project)
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)
    Task.objects.update(is_current=False)

    with pytest.raises(Conflict):
        retry_task(actor=Actor.of_user(owner), task_id=task.pk)


def test_a_retry_is_to_be_enqueued_as_soon_as_it_is_due(project):
    task = first_task(project)

    fail(task)

    assert fresh(task).enqueued_at is None
