"""What the passing of time does to requests, and what it never does."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from context.models import ArtifactVersion
from core.errors import Conflict, Forbidden, Gone
from hitl.models import Decision, HitlRequest
from hitl.rules import can_decide
from hitl.selectors import overdue, waiting_for_me
from hitl.services import apply_deadlines
from orchestrator.engine.advance import advance_project
from orchestrator.engine.rewind import rewind_project
from orchestrator.engine.sweep import sweep
from projects.models import Project
from projects.services import pause_project, resume_project
from tests.scenes import (
    asked,
    decide_as,
    event_of,
    finish,
    fresh,
    let_pass,
    set_policy,
    side_task,
    time_out,
    types_of,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

HOUR = 3600


def after(request: HitlRequest, name: str) -> float:
    return (getattr(request, name) - request.created_at).total_seconds()


@pytest.fixture
def expiring(project):
    set_policy(project, remind_after=HOUR, due_after=2 * HOUR, expire_after=3 * HOUR,
               on_timeout="reject")  # fmt: skip
    return asked(project)


@pytest.fixture
def escalating(project):
    set_policy(project, expire_after=HOUR, on_timeout="escalate")
    return asked(project)


def test_deadlines_are_set_when_it_is_opened(expiring):
    assert after(expiring, "remind_at") == pytest.approx(HOUR, abs=60)
    assert after(expiring, "due_at") == pytest.approx(2 * HOUR, abs=60)
    assert after(expiring, "expires_at") == pytest.approx(3 * HOUR, abs=60)


def test_without_times_in_the_policy_there_is_no_deadline(project):
    request = asked(project)

    assert (request.remind_at, request.due_at, request.expires_at) == (None, None, None)
    assert apply_deadlines() == 0


def test_a_reminder_is_recorded_once(expiring):
    let_pass(expiring, 1.5 * HOUR)

    assert [apply_deadlines(), apply_deadlines()] == [1, 0]
    assert types_of(expiring).count("hitl_request_reminded") == 1
    assert event_of(expiring, "hitl_request_reminded").event_source == "scheduler"
    assert fresh(expiring).status == "pending"


def test_what_is_overdue_is_noted_once_and_listed(expiring, approver, client_of):
    let_pass(expiring, 2.5 * HOUR)

    assert [apply_deadlines(), apply_deadlines()] == [1, 0]
    assert types_of(expiring).count("hitl_request_overdue") == 1
    listed = client_of(approver).get("/api/v1/hitl/requests/?overdue=true").json()["results"]
    assert [(row["id"], row["is_overdue"]) for row in listed] == [(str(expiring.pk), True)]


def test_on_reject_it_expires_and_the_project_stops_because_nobody_decided(expiring, project):
    request = time_out(expiring)
    advance_project(project.pk)

    stopped = Project.objects.get(pk=project.pk)
    assert request.status == "expired"
    assert request.resolved_at is not None
    assert Task.objects.get(pk=request.task_id).status == "failed"
    assert stopped.status == "failed"
    assert "Nobody decided" in stopped.status_reason
    assert verify_stream(project.pk).valid


def test_an_expiry_is_never_logged_as_a_persons_no(expiring, project):
    time_out(expiring)
    advance_project(project.pk)

    later = Event.objects.filter(
        project=project.pk, sequence__gte=event_of(expiring, "hitl_request_expired").sequence
    )
    failed = later.get(event_type="task_failed")
    assert not Decision.objects.exists()
    assert "hitl_decision_recorded" not in types_of(expiring)
    assert not later.filter(event_source="user").exists()
    assert (failed.data["cause"], failed.event_source) == ("expired", "scheduler")
    assert "rejected" not in Task.objects.get(pk=expiring.task_id).result
    assert not ArtifactVersion.objects.filter(status="rejected").exists()


def test_the_engine_advances_with_the_deadline_itself(expiring, project):
    let_pass(expiring, 4 * HOUR)

    assert sweep()["deadlines_applied"] == 1
    assert Project.objects.get(pk=project.pk).status == "failed"


def test_an_expired_project_is_taken_up_again_by_a_rewind(expiring, project, owner):
    time_out(expiring)
    advance_project(project.pk)

    rewind_project(project_id=project.pk, step="orchestrate", actor=Actor.of_user(owner))
    advance_project(project.pk)

    assert Task.objects.get(project=project, is_current=True).status == "pending"


def test_work_outside_of_the_workflow_expires_too(project):
    set_policy(project, expire_after=HOUR, on_timeout="reject")
    request = time_out(finish(side_task(project), work()))
    advance_project(project.pk)

    assert request.status == "expired"
    assert "Nobody decided" in Project.objects.get(pk=project.pk).status_reason


def test_after_its_time_an_answer_is_gone_also_before_the_sweep(expiring, approver):
    let_pass(expiring, 4 * HOUR)

    with pytest.raises(Gone) as refusal:
        decide_as(approver, expiring)

    assert refusal.value.code == "expired"
    assert can_decide(fresh(expiring), approver).code == "expired"
    assert not waiting_for_me(HitlRequest.objects.all(), approver).exists()
    assert fresh(expiring).status == "pending"


def test_after_the_sweep_it_is_gone_too(expiring, approver, client_of):
    time_out(expiring)

    answer = client_of(approver).post(
        f"/api/v1/hitl/requests/{expiring.pk}/decisions/",
        {"action": "approve", "subject_digest": expiring.subject_digest},
    )

    assert (answer.status_code, answer.json()["code"]) == (410, "expired")


def test_a_late_timer_loses(expiring, approver):
    decide_as(approver, expiring)

    assert time_out(expiring).status == "approved"
    assert "hitl_request_expired" not in types_of(expiring)


def test_a_time_that_has_not_come_does_nothing(expiring, approver):
    let_pass(expiring, 0.5 * HOUR)

    assert apply_deadlines() == 0
    assert decide_as(approver, expiring).action == "approve"


def test_on_hold_nothing_ends_and_it_is_overdue(project, approver):
    set_policy(project, expire_after=HOUR, on_timeout="hold")
    request = asked(project)
    assert (request.expires_at, after(request, "due_at")) == (None, pytest.approx(HOUR, abs=60))

    request = time_out(request)

    assert request.status == "pending"
    assert overdue(HitlRequest.objects.all()).get() == request
    assert types_of(request).count("hitl_request_overdue") == 1
    assert decide_as(approver, request).action == "approve"


def test_on_hold_an_end_that_was_set_by_hand_becomes_overdue(project, approver):
    request = asked(project)
    HitlRequest.objects.update(expires_at=request.created_at - timedelta(seconds=1))
    with pytest.raises(Gone):
        decide_as(approver, request)

    assert apply_deadlines() == 1
    assert (fresh(request).expires_at, fresh(request).status) == (None, "pending")
    assert decide_as(approver, request).action == "approve"


def test_on_escalate_only_an_owner_decides_from_then_on(escalating, owner, approver):
    request = time_out(escalating)

    with pytest.raises(Forbidden) as refusal:
        decide_as(approver, request)
    assert refusal.value.code == "escalated"
    assert (request.status, request.deciding_roles) == ("pending", ["owner"])
    assert (request.expires_at, types_of(request)[-1]) == (None, "hitl_request_escalated")
    assert not waiting_for_me(HitlRequest.objects.all(), approver).exists()
    assert waiting_for_me(HitlRequest.objects.all(), owner).exists()
    assert decide_as(owner, request).action == "approve"


def test_an_owner_need_not_wait_for_the_sweep_and_the_escalation_is_recorded_first(
    escalating, owner, approver
):
    let_pass(escalating, 2 * HOUR)
    with pytest.raises(Forbidden, match="only an owner"):
        decide_as(approver, escalating)

    decide_as(owner, escalating)

    assert types_of(escalating)[1:3] == ["hitl_request_escalated", "hitl_decision_recorded"]
    assert apply_deadlines() == 0


def test_an_escalation_happens_once_and_has_no_other_end(escalating):
    time_out(escalating)

    assert time_out(escalating).status == "pending"
    assert types_of(escalating).count("hitl_request_escalated") == 1


def test_an_escalation_takes_a_claim_away(escalating, approver, owner, client_of):
    client_of(approver).post(f"/api/v1/hitl/requests/{escalating.pk}/claim/")
    HitlRequest.objects.update(expires_at=escalating.created_at)

    apply_deadlines()

    assert fresh(escalating).claimed_by is None
    assert decide_as(owner, escalating).action == "approve"


@pytest.mark.parametrize("field", ["remind_at", "due_at", "expires_at"])
def test_clocks_stand_still_while_the_project_is_paused(expiring, project, owner, field):
    actor, before = Actor.of_user(owner), getattr(expiring, field)
    pause_project(project_id=project.pk, actor=actor)
    held_since = fresh(expiring).held_since
    HitlRequest.objects.update(held_since=held_since - timedelta(hours=5))
    resume_project(project_id=project.pk, actor=actor)

    moved = getattr(fresh(expiring), field) - before
    assert moved.total_seconds() == pytest.approx(5 * HOUR, abs=60)
    assert fresh(expiring).held_since is None


def test_nothing_expires_while_the_project_is_paused(expiring, project, owner, approver):
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    let_pass(expiring, 10 * HOUR)

    assert apply_deadlines() == 0
    assert not overdue(HitlRequest.objects.all()).exists()
    assert decide_as(approver, expiring).action == "approve"


def test_pausing_again_by_a_rewind_does_not_start_the_hold_anew(expiring, project, owner):
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    held_since = fresh(expiring).held_since

    rewind_project(project_id=project.pk, step="orchestrate", actor=Actor.of_user(owner))

    assert fresh(expiring).held_since == held_since


def test_what_follows_on_requested_changes_has_its_own_time(expiring, project, approver):
    let_pass(expiring, 2 * HOUR)
    decide_as(approver, expiring, "request_changes")
    advance_project(project.pk)

    newer = finish(Task.objects.get(project=project, is_current=True), work())

    assert after(newer, "expires_at") == pytest.approx(3 * HOUR, abs=60)
    assert (newer.reminded_at, newer.overdue_noted_at) == (None, None)


def test_one_that_cannot_be_served_holds_up_no_other(make_project, caplog):
    broken, whole = make_project(name="Broken"), make_project(name="Whole")
    for project in (broken, whole):
        set_policy(project, expire_after=HOUR, on_timeout="reject")
    first, second = asked(broken), asked(whole)
    Task.objects.filter(pk=first.task_id).update(status="completed", waits_for="")
    for request in (first, second):
        let_pass(request, 2 * HOUR)

    apply_deadlines()

    assert (fresh(first).status, fresh(second).status) == ("pending", "expired")
    assert "deadline not applied" in caplog.text


def test_a_second_answer_finds_the_first(expiring, owner, approver):
    decide_as(owner, expiring)

    with pytest.raises(Conflict, match="owner has decided already"):
        decide_as(approver, expiring)


def test_the_database_refuses_a_second_outcome(expiring, approver):
    decide_as(approver, expiring)

    with pytest.raises(IntegrityError, match="for good"), transaction.atomic():
        HitlRequest.objects.filter(pk=expiring.pk).update(status="expired")
