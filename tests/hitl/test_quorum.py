"""Several people must approve; anyone of them can end it."""

import pytest

from agents.models import Task
from audit.models import Event
from context.models import Artifact
from core.errors import Conflict, Forbidden
from hitl.models import Decision, HitlRequest
from hitl.selectors import waiting_for_me
from orchestrator.engine.advance import advance_project
from tests.scenes import (
    OWN,
    asked,
    decide_as,
    fresh,
    join,
    pending_request,
    set_policy,
    types_of,
    upload,
)
from ui.terminal.decisions import Choice, send_decision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


@pytest.fixture
def third(project):
    return join(project, "third")


@pytest.fixture
def request_for_two(project, third):
    set_policy(project, required_approvals=2)
    return asked(project)


def status_of(request) -> tuple[str, str]:
    return fresh(request).status, Task.objects.get(pk=request.task_id).status


def test_the_first_approval_is_counted_and_settles_nothing(request_for_two, approver):
    decision = decide_as(approver, request_for_two)

    assert decision.action == "approve"
    assert status_of(request_for_two) == ("pending", "waiting_for_hitl")
    assert fresh(request_for_two).approvals == 1
    assert types_of(request_for_two) == ["hitl_request_created", "hitl_decision_recorded"]


def test_the_last_one_settles_it(request_for_two, approver, owner):
    decide_as(approver, request_for_two)
    decide_as(owner, request_for_two)

    assert status_of(request_for_two) == ("approved", "completed")
    assert types_of(request_for_two).count("hitl_request_resolved") == 1


def test_the_same_person_counts_once(request_for_two, approver):
    decide_as(approver, request_for_two)

    with pytest.raises(Conflict) as refusal:
        decide_as(approver, request_for_two)

    assert refusal.value.code == "already_decided"
    assert refusal.value.extra["decision"]["decided_by_username"] == "approver"
    assert refusal.value.extra["request_status"] == "pending"
    assert status_of(request_for_two)[0] == "pending"


def test_who_has_approved_cannot_change_their_word(request_for_two, approver):
    decide_as(approver, request_for_two)

    with pytest.raises(Conflict, match="has decided already"):
        decide_as(approver, request_for_two, "reject")


@pytest.mark.parametrize(
    ("action", "request_after", "task_after"),
    [("reject", "rejected", "failed"), ("request_changes", "changes_requested", "cancelled")],
)
def test_one_who_turns_it_down_ends_it(
    request_for_two, approver, owner, action, request_after, task_after
):
    decide_as(approver, request_for_two)
    decide_as(owner, request_for_two, action)

    assert status_of(request_for_two) == (request_after, task_after)


def test_one_answer_is_enough(project, approver):
    set_policy(project, required_approvals=2)
    request = asked(project, "clarification")

    decide_as(approver, request, "answer")

    assert status_of(request) == ("answered", "pending")


def test_an_amendment_goes_on_only_with_the_others_behind_it(
    project, request_for_two, approver, owner
):
    decide_as(approver, request_for_two, "amend")
    advance_project(project.pk)
    newer = pending_request(project)

    artifact = Artifact.objects.get(step="orchestrate")
    assert status_of(request_for_two) == ("amended", "waiting_for_hitl")
    assert artifact.accepted_version is None
    assert (newer.previous, newer.approvals, newer.required_approvals) == (request_for_two, 1, 2)
    assert newer.subject["outputs"][0]["version"] == 2

    decide_as(owner, newer)

    artifact.refresh_from_db()
    assert artifact.accepted_version == 2
    assert status_of(newer) == ("approved", "completed")


def test_an_amendment_of_work_outside_of_the_workflow_is_shown_to_the_others_too(
    project, approver, owner
):
    set_policy(project, required_approvals=2)
    decide_as(approver, asked(project, "result_approval"), "amend")
    advance_project(project.pk)

    newer = pending_request(project)
    decide_as(owner, newer)

    assert (newer.approvals, newer.step) == (1, "")
    assert status_of(newer) == ("approved", "completed")


@pytest.mark.parametrize("is_prevented", [True, False])
def test_who_amended_is_not_counted_twice(project, third, approver, is_prevented):
    set_policy(project, required_approvals=2, prevent_self_approval=is_prevented)
    decide_as(approver, asked(project), "amend")
    advance_project(project.pk)

    with pytest.raises(Forbidden) as refusal:
        decide_as(approver, pending_request(project))

    assert refusal.value.code == "self_approval"


def test_an_amendment_by_hand_where_there_was_nothing_is_shown_to_the_others(
    project, third, approver, owner
):
    set_policy(project, required_approvals=2)
    request = asked(project, "escalation")
    decide_as(approver, request, "amend")
    advance_project(project.pk)

    newer = pending_request(project)
    decide_as(owner, newer)

    artifact = Artifact.objects.get(step="orchestrate")
    assert artifact.accepted_version == newer.subject["outputs"][0]["version"]
    assert artifact.versions.get(number=artifact.accepted_version).author == approver
    assert status_of(newer) == ("approved", "completed")


def test_the_others_compare_an_amendment_with_what_it_changed(
    project, request_for_two, approver, owner, client_of
):
    decide_as(approver, request_for_two, "amend")
    advance_project(project.pk)

    row = client_of(owner).get(f"/api/v1/hitl/requests/{pending_request(project).pk}/").json()

    assert (row["diff"]["from"], row["diff"]["to"]) == (1, 2)


def test_a_changed_subject_starts_the_count_anew(project, request_for_two, approver, third):
    decide_as(approver, request_for_two)
    upload(third, project, OWN)

    newer = pending_request(project)

    assert fresh(request_for_two).status == "superseded"
    assert newer.approvals == 0
    decide_as(approver, newer)
    assert fresh(newer).status == "pending"


def test_an_approval_stands_when_who_gave_it_has_left(project, request_for_two, approver, owner):
    decide_as(approver, request_for_two)
    project.memberships.filter(user=approver).delete()

    decide_as(owner, request_for_two)

    assert fresh(request_for_two).status == "approved"


def test_who_has_approved_is_not_asked_again(request_for_two, approver, owner, client_of):
    decide_as(approver, request_for_two)

    everything = HitlRequest.objects.all()
    row = client_of(approver).get(f"/api/v1/hitl/requests/{request_for_two.pk}/").json()
    assert not waiting_for_me(everything, approver).exists()
    assert waiting_for_me(everything, owner).exists()
    assert row["can_decide"]["code"] == "already_decided"
    assert "1 of 2" in row["can_decide"]["detail"]
    assert (row["approvals"], row["required_approvals"]) == (1, 2)


def test_the_terminal_counts_too(request_for_two, approver, owner):
    for user in (approver, owner):
        send_decision(request_for_two, user, Choice("approve"))

    assert fresh(request_for_two).status == "approved"


def test_every_word_is_in_the_log_with_the_count(request_for_two, approver, owner):
    decide_as(approver, request_for_two)
    decide_as(owner, request_for_two)

    words = Event.objects.filter(event_type="hitl_decision_recorded").order_by("sequence")
    assert [event.data["approvals"] for event in words] == [1, 2]
    assert {event.data["required_approvals"] for event in words} == {2}
    assert Decision.objects.filter(request=request_for_two).count() == 2
