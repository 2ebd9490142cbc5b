from uuid import uuid4

import pytest

from agents.models import Task
from agents.services import cancel_task, retry_task
from audit.actors import Actor
from audit.models import Event
from context.models import Artifact, ArtifactVersion
from context.services import add_version
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from orchestrator.engine.definition import definition_hash, load_definition
from orchestrator.models import WorkflowRun
from projects.models import Project
from projects.services import cancel_project, fail_project, pause_project, resume_project
from projects.transaction import ProjectTransaction
from tests.fixtures import BRIEF
from tests.scenes import (
    CONTENT,
    advance,
    current,
    decide_as,
    do,
    failed_work,
    open_steps,
    questions,
    request_at,
    running,
    side_task,
    started,
    text,
    types_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]


@pytest.fixture
def unattended(make_project):
    """A project in which nobody is asked without need."""
    return make_project(oversight_level="low")


def test_a_run_opens_with_the_pinned_definition_and_the_brief(project):
    running(project)

    run, brief = WorkflowRun.objects.get(), Artifact.objects.get()
    assert run.definition == load_definition("sdlc").to_json()
    assert run.definition_hash == definition_hash(load_definition("sdlc"))
    assert (brief.artifact_type, brief.accepted_version) == ("user_input", 1)
    assert brief.versions.get().content == {"text": BRIEF}
    assert open_steps(project) == {"orchestrate"}
    assert Project.objects.get().attention_since is None


def test_a_draft_has_no_run(project):
    assert advance_project(project.pk) == 0
    assert not WorkflowRun.objects.exists()


def test_an_unknown_project_is_nothing_to_do(db):
    assert advance_project(uuid4()) == 0


def test_looking_again_does_nothing(project):
    started(project)
    do(project, "right")
    length = Event.objects.count()

    assert [advance_project(project.pk) for _ in range(3)] == [0, 0, 0]
    assert Event.objects.count() == length
    assert (Task.objects.count(), HitlRequest.objects.count()) == (2, 1)


def test_at_low_oversight_the_run_goes_through_without_a_person(unattended):
    started(unattended)

    for step in ("left", "right", "join", "check"):
        do(unattended, step)

    assert Project.objects.get().status == "completed"
    assert not HitlRequest.objects.exists()
    assert not Artifact.objects.filter(accepted_version=None).exists()
    assert types_of(unattended.pk)[-1] == "project_completed"


@pytest.mark.parametrize(("level", "gated"), [("high", {"left", "right"}), ("medium", {"right"})])
def test_people_are_asked_by_the_oversight_level(make_project, level, gated):
    project = started(make_project(oversight_level=level))

    do(project, "left")
    do(project, "right")

    assert set(HitlRequest.objects.values_list("step", flat=True)) == gated


def test_branches_run_side_by_side_and_join(unattended):
    started(unattended)
    at_first = open_steps(unattended)
    do(unattended, "right")
    after_one = open_steps(unattended)
    do(unattended, "left")

    assert at_first == {"left", "right"}
    assert after_one == {"left"}
    assert open_steps(unattended) == {"join"}
    assert Task.objects.filter(step="join").count() == 1


def test_a_waiting_branch_does_not_hold_the_other(make_project, approver):
    project = started(make_project(oversight_level="medium"))
    do(project, "right")

    do(project, "left")
    before = open_steps(project)
    decide_as(approver, request_at(project, "right"), "approve")

    assert before == set()
    assert open_steps(project) == {"join"}


def test_a_paused_project_starts_nothing_until_it_is_resumed(unattended, owner):
    started(unattended)
    do(unattended, "left")
    task = current(unattended, "right")
    pause_project(project_id=unattended.pk, actor=Actor.of_user(owner))
    assert advance_project(unattended.pk) == 0

    resume_project(project_id=unattended.pk, actor=Actor.of_user(owner))
    do(unattended, "right")

    assert current(unattended, "right").pk == task.pk
    assert open_steps(unattended) == {"join"}


def test_a_reject_fails_the_project_with_the_reason_and_closes_the_rest(project, approver):
    started(project)
    do(project, "left")
    do(project, "right")

    decide_as(approver, request_at(project, "right"), "reject", comment="Not what we need.")

    now = Project.objects.get()
    assert (now.status, now.status_reason) == ("failed", "right: Not what we need.")
    assert now.finished_at is not None
    assert current(project, "left").status == "cancelled"
    assert HitlRequest.objects.get(step="left").status == "cancelled"


@pytest.mark.parametrize("end", ["cancel", "fail"])
def test_a_project_that_stops_closes_what_is_open(project, owner, end):
    started(project)
    do(project, "left")
    actor = Actor.of_user(owner)

    if end == "cancel":
        cancel_project(project_id=project.pk, actor=actor)
    else:
        with ProjectTransaction(project.pk, actor) as tx:
            fail_project(tx, "Out of money.")

    assert advance_project(project.pk) == 0
    assert set(Task.objects.values_list("status", flat=True)) == {"cancelled"}
    assert HitlRequest.objects.get().status == "cancelled"


def test_a_new_version_of_what_is_under_review_asks_anew(project, owner, approver):
    started(project)
    do(project, "right")
    first = request_at(project, "right")
    artifact = Artifact.objects.get(step="right")

    add_version(
        actor=Actor.of_user(owner), artifact_id=artifact.pk, content=CONTENT | {"body": "Mine."}
    )
    advance(project)
    second = request_at(project, "right")
    decide_as(approver, second, "approve")

    first.refresh_from_db()
    assert (first.status, second.previous_id) == ("superseded", first.pk)
    assert second.subject["outputs"][0]["version"] == 2
    assert first.subject_digest != second.subject_digest
    assert Artifact.objects.get(step="right").accepted_version == 2
    assert advance_project(project.pk) == 0


def test_a_cancelled_step_holds_the_run_until_it_is_retried(unattended, owner):
    started(unattended)
    do(unattended, "left")
    task = current(unattended, "right")
    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)
    advance(unattended)
    while_cancelled = open_steps(unattended)

    retry_task(actor=Actor.of_user(owner), task_id=task.pk)
    do(unattended, "right")

    assert while_cancelled == set()
    assert open_steps(unattended) == {"join"}


def test_a_cancelled_step_closes_its_request(project, owner):
    started(project)
    task = do(project, "right")

    cancel_task(actor=Actor.of_user(owner), task_id=task.pk)

    assert HitlRequest.objects.get().status == "cancelled"
    assert "hitl_request_resolved" in types_of(project.pk)


def test_an_answer_goes_on_to_the_same_agent(project, approver):
    started(project)
    do(project, "left", questions())

    decide_as(approver, request_at(project, "left"), "answer", content="Members do.")

    task = current(project, "left")
    assert (task.status, task.round) == ("pending", 1)
    assert task.answers[0]["answer"] == "Members do."
    assert task.answers[0]["questions"] == ["Who lends?", "For how long?"]
    assert Artifact.objects.get(artifact_type="hitl_response").accepted_version == 1


def test_work_on_its_own_is_gated(make_project, approver):
    project = running(make_project(oversight_level="medium"))
    task = side_task(project)
    claim_and_finish(task)

    request = HitlRequest.objects.get()
    decide_as(approver, request, "approve")

    task.refresh_from_db()
    assert (request.kind, request.step) == ("result_approval", "")
    assert task.status == "completed"
    assert Artifact.objects.get(task=task.pk).accepted_version == 1


def claim_and_finish(task, outcome=None):
    from agents.services import claim_task, finish_task

    finish_task(claim=claim_task(task_id=task.pk, worker="t:1:1"), outcome=outcome or text("One."))
    advance_project(task.project_id)


def test_a_project_is_not_complete_before_the_work_on_its_own_is(unattended):
    started(unattended)
    task = side_task(unattended)
    for step in ("left", "right", "join", "check"):
        do(unattended, step)
    before = Project.objects.get().status

    claim_and_finish(task)

    assert (before, Project.objects.get().status) == ("active", "completed")


def test_changes_of_work_on_its_own_are_made_by_the_same_task(project, approver):
    project = running(project)
    task = side_task(project)
    claim_and_finish(task)
    first = HitlRequest.objects.get(task=task)

    decide_as(approver, first, "request_changes", comment="Three catalogues, please.")
    task.refresh_from_db()
    assert task.status == "pending"
    assert task.handoff["feedback"][0]["comment"] == "Three catalogues, please."
    claim_and_finish(task, text("Three."))

    second = HitlRequest.objects.pending().get(task=task)
    assert second.previous_id == first.pk
    artifact = Artifact.objects.get(task=task.pk)
    assert artifact.version == 2
    assert second.subject["outputs"][0]["version"] == 2


def test_rejected_work_on_its_own_fails_the_project(project, approver):
    project = running(project)
    claim_and_finish(side_task(project))

    decide_as(approver, HitlRequest.objects.get(), "reject", comment="Stop all of it.")

    now = Project.objects.get()
    assert (now.status, now.status_reason) == ("failed", "Stop all of it.")


def test_a_check_that_fails_goes_back_three_times_and_then_asks(unattended):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    for _ in range(3):
        do(unattended, "join")
        do(unattended, "check", text("No.", verdict="fail"))
    assert not HitlRequest.objects.exists()

    do(unattended, "join")
    do(unattended, "check", text("No.", verdict="fail"))

    assert request_at(unattended, "check").kind == "escalation"
    assert (current(unattended, "join").round, current(unattended, "check").round) == (4, 4)
    assert WorkflowRun.objects.get().loops == {"check": 3}
    assert types_of(unattended.pk).count("project_rewound") == 3
    assert Task.objects.filter(step="join", is_current=False, dropped_by="loop").count() == 3
    assert current(unattended, "left").round == 1


@pytest.fixture
def escalated(unattended):
    """The check has failed for the last time."""
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    for _ in range(4):
        do(unattended, "join")
        do(unattended, "check", text("No.", verdict="fail"))
    return request_at(unattended, "check")


def test_a_failed_check_that_a_person_accepts_lets_the_run_go_on(escalated, approver):
    decide_as(approver, escalated, "approve")

    task = current(escalated.project, "check")
    assert (task.status, task.result["verdict"]) == ("completed", "accepted")
    assert Project.objects.get().status == "completed"


def test_changes_of_a_failed_check_go_to_the_work_that_was_checked(escalated, approver):
    decide_as(approver, escalated, "request_changes", comment="Mind the zero.")

    join = current(escalated.project, "join")
    assert (join.status, join.round) == ("pending", 5)
    assert join.handoff["feedback"] == [
        {"comment": "Mind the zero.", "by": "approver", "cause": "changes_requested"}
    ]
    assert not Task.objects.filter(step="check", is_current=True).exists()
    assert WorkflowRun.objects.get().loops == {}


def test_after_requested_changes_a_check_has_its_rounds_anew(escalated, approver):
    project = escalated.project
    decide_as(approver, escalated, "request_changes", comment="Mind the zero.")

    do(project, "join")
    do(project, "check", text("No.", verdict="fail"))

    assert open_steps(project) == {"join"}
    assert current(project, "join").handoff["feedback"][0]["comment"] == "Mind the zero."
    do(project, "join")
    do(project, "check", text("Yes.", verdict="pass"))
    assert Project.objects.get().status == "completed"


def test_a_failed_verdict_outside_of_a_loop_is_a_persons_matter(unattended, approver):
    started(unattended)
    do(unattended, "left", failed_work())

    decide_as(approver, request_at(unattended, "left"), "approve")

    assert current(unattended, "left").status == "completed"
    assert ArtifactVersion.objects.get(artifact__step="left").status == "accepted"
