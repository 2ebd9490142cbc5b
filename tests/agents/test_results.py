from dataclasses import replace

import pytest

from agents.models import Task, TaskAttempt
from agents.protocols import Completed, NeedsPerson, Output, PermanentError, TransientError, Usage
from agents.services import (
    cancel_task,
    claim_task,
    fail_attempt,
    finish_task,
    hand_back,
    take_back_lost_tasks,
)
from agents.worker.run import record_outcome
from audit.actors import Actor
from context.models import Artifact, ArtifactVersion
from core.errors import InvalidInput
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.services import cancel_project, update_project
from tests.scenes import (
    USAGE,
    WORKER,
    agent_status,
    claim,
    event_count,
    event_data,
    failed_work,
    first_task,
    fresh,
    let_lease_run_out,
    make_due,
    questions,
    side_task,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project", "whole_logs")]

MISFIT = Completed((Output("agent_output", "Run plan", {"no": "summary"}),), USAGE)
BILL = Usage("test", "model-1", calls=2, input_tokens=30, output_tokens=4, cost_micros=5)


def taken_back(task, owner):
    let_lease_run_out(task)
    take_back_lost_tasks()


def taken_back_and_claimed_by_another(task, owner):
    taken_back(task, owner)
    claim(task, "test:2:2")


def handed_back(task, owner):
    hand_back(worker_prefix=WORKER)


def cancelled(task, owner):
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)


def project_cancelled(task, owner):
    cancel_project(project_id=task.project_id, actor=Actor.of_user(owner))


LOSSES = [
    taken_back,
    taken_back_and_claimed_by_another,
    handed_back,
    cancelled,
    project_cancelled,
]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_worker_that_lost_its_lease_writes_neither_result_nor_failure(project, owner, lose):
    task = first_task(project)
    lost = claim(task)
    lose(task, owner)
    before, length = fresh(task), event_count(task)

    for outcome in (work(), questions(), failed_work()):
        assert finish_task(claim=lost, outcome=outcome) is False
    assert fail_attempt(claim=lost, error=TransientError("http_500", "No.")) is False

    now = fresh(task)
    assert (now.status, now.result, now.fence) == (before.status, before.result, before.fence)
    assert now.failures == 0
    assert not Artifact.objects.filter(artifact_type="agent_output").exists()
    assert event_count(task) == length


def test_the_next_worker_finishes_what_the_lost_one_could_not(project, owner):
    task = first_task(project)
    lost = claim(task)
    taken_back(task, owner)
    newer = claim(task, "test:2:2")

    assert finish_task(claim=newer, outcome=work()) is True
    assert finish_task(claim=lost, outcome=work(summary="Late.")) is False
    version = ArtifactVersion.objects.get(artifact__artifact_type="agent_output")
    assert (version.fence, version.attempt) == (3, 2)
    assert list(TaskAttempt.objects.values_list("outcome", flat=True)) == ["crashed", "completed"]


@pytest.mark.parametrize("outcome", [work(), questions()])
def test_a_second_finish_is_refused(project, outcome):
    task = first_task(project)
    held = claim(task)
    finish_task(claim=held, outcome=outcome)
    before, length = fresh(task), event_count(task)

    assert finish_task(claim=held, outcome=work(summary="Again.")) is False
    assert fail_attempt(claim=held, error=PermanentError("late", "Too late.")) is False
    assert (fresh(task).result, fresh(task).status) == (before.result, before.status)
    assert event_count(task) == length


def test_a_worker_that_finishes_writes_into_the_attempt_what_it_took(project):
    task = first_task(project)

    finish_task(claim=claim(task), outcome=Completed(work().outputs, BILL))

    attempt = TaskAttempt.objects.get()
    assert (attempt.outcome, attempt.provider, attempt.model) == ("completed", "test", "model-1")
    assert (attempt.calls, attempt.input_tokens, attempt.output_tokens) == (2, 30, 4)
    assert attempt.cost_micros == 5
    assert attempt.finished_at is not None


def test_what_a_failed_attempt_took_is_kept_too(project):
    task = first_task(project)

    fail_attempt(claim=claim(task), error=TransientError("http_500", "No.", usage=BILL))

    attempt = TaskAttempt.objects.get()
    assert (attempt.error_code, attempt.error_detail, attempt.calls) == ("http_500", "No.", 2)


GATES = [
    ("high", "plan_approval", "result_approval"),
    ("medium", "", "result_approval"),
    ("low", "", ""),
]


@pytest.mark.parametrize(("level", "of_plan", "of_result"), GATES)
def test_the_oversight_level_sets_the_gates(make_project, level, of_plan, of_result):
    task = first_task(make_project(oversight_level=level))

    assert task.gate == of_plan
    assert side_task(task.project).gate == of_result


def test_behind_a_gate_the_result_waits_as_a_draft(project):
    task = first_task(project)

    finish_task(claim=claim(task), outcome=work())

    now = fresh(task)
    artifact = Artifact.objects.get(task=task.pk)
    assert (now.status, now.waits_for, now.finished_at) == (
        "waiting_for_hitl",
        "plan_approval",
        None,
    )
    assert (artifact.version, artifact.accepted_version) == (1, None)
    assert artifact.versions.get().status == "draft"
    assert agent_status(task) == "waiting_for_hitl"


def test_without_a_gate_the_result_is_accepted(make_project):
    task = first_task(make_project(oversight_level="low"))

    finish_task(claim=claim(task), outcome=work())

    artifact = Artifact.objects.get(task=task.pk)
    assert fresh(task).status == "completed"
    assert fresh(task).finished_at is not None
    assert (artifact.accepted_version, artifact.versions.get().status) == (1, "accepted")
    assert agent_status(task) == "idle"
    assert not HitlRequest.objects.exists()


def test_a_changed_oversight_level_holds_for_the_next_tasks(project, owner):
    task = first_task(project)
    update_project(project_id=project.pk, actor=Actor.of_user(owner), oversight_level="low")

    assert fresh(task).gate == "plan_approval"
    assert side_task(task.project).gate == ""


def test_a_failed_verdict_that_cannot_loop_waits_for_a_person_even_without_a_gate(make_project):
    task = first_task(make_project(oversight_level="low"))

    finish_task(claim=claim(task), outcome=failed_work())

    assert fresh(task).waits_for == "escalation"
    assert Artifact.objects.get(task=task.pk).accepted_version is None


def test_questions_wait_for_a_person(make_project):
    task = first_task(make_project(oversight_level="low"))

    finish_task(claim=claim(task), outcome=questions())

    now = fresh(task)
    assert now.waits_for == "clarification"
    assert now.result["questions"] == ["Who lends?", "For how long?"]
    assert TaskAttempt.objects.get().outcome == "needs_person"


def test_content_that_does_not_fit_leaves_nothing_behind(project):
    task = first_task(project)
    two = Completed((*work().outputs, *MISFIT.outputs), USAGE)
    held, length = claim(task), event_count(task)

    with pytest.raises(InvalidInput):
        finish_task(claim=held, outcome=two)

    assert not Artifact.objects.filter(task=task.pk).exists()
    assert (fresh(task).status, event_count(task)) == ("working", length)


def test_questions_that_cannot_be_stored_are_tried_again(project):
    held = claim(first_task(project))

    assert record_outcome(held, NeedsPerson(("Who\0lends?",), USAGE))

    assert fresh(held.task).status == "pending"
    assert event_data(held.task, "task_retried")[0]["code"] == "invalid_output"


def test_files_that_do_not_fit_into_the_workspace_are_tried_again(project):
    held = claim(first_task(project))
    files = {"acceptance/test_a.py": "", "acceptance/test_A.py": ""}

    assert record_outcome(held, replace(work(), files=files)) == "transient_error"

    assert "by their case alone" in event_data(held.task, "task_retried")[0]["detail"]


def test_content_that_does_not_fit_is_tried_again_and_then_a_persons_matter(project):
    task = first_task(project)
    for _ in range(3):
        assert record_outcome(claim(task), MISFIT) == "transient_error"
        assert fresh(task).status == "pending"
        make_due(task)

    record_outcome(claim(task), MISFIT)
    advance_project(project.pk)

    now = fresh(task)
    request = HitlRequest.objects.get()
    assert (now.waits_for, now.result["error"]["code"]) == ("escalation", "invalid_output")
    assert request.subject["error"]["code"] == "invalid_output"
    assert [e["code"] for e in event_data(task, "task_retried")] == ["invalid_output"] * 3
    assert not Artifact.objects.filter(task=task.pk).exists()


def test_work_that_asks_nothing_and_makes_nothing_is_finished(make_project):
    task = first_task(make_project(oversight_level="low"))

    finish_task(claim=claim(task), outcome=Completed((), USAGE))

    assert fresh(task).status == "completed"
    assert fresh(task).result["outputs"] == []


def test_an_answer_is_not_asked_for_twice(project):
    task = first_task(project)
    finish_task(claim=claim(task), outcome=NeedsPerson(("Who?",), USAGE))

    advance_project(project.pk)
    assert advance_project(project.pk) == 0

    assert HitlRequest.objects.filter(task=task).count() == 1
    assert claim_task(task_id=task.pk, worker=WORKER) is None
    assert Task.objects.count() == 1
