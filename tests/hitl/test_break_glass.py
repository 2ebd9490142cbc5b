"""The recorded way past the rules; and that there is no other."""

import pytest

from audit.models import Event
from audit.verification import verify_stream
from core.errors import Conflict, Forbidden, Gone, Unprocessable
from hitl.models import Decision
from tests.scenes import (
    ALLOWED,
    asked,
    decide_as,
    event_of,
    fresh,
    join,
    let_pass,
    pending_request,
    set_policy,
    upload,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def break_glass(user, request, action="approve", **fields):
    return decide_as(user, request, action, break_glass=True, **fields)


def test_a_superuser_who_is_no_member_needs_it(project, staff):
    request = asked(project)

    with pytest.raises(Forbidden) as refusal:
        decide_as(staff, request)
    decision = break_glass(staff, request, comment="The approver is ill, the release is due.")

    assert refusal.value.code == "not_a_member"
    assert decision.is_break_glass
    assert fresh(request).status == "approved"


def test_it_leaves_an_event_of_its_own_with_the_reason(project, staff):
    set_policy(project, required_approvals=2)
    request = asked(project)

    decision = break_glass(staff, request, comment="The building is on fire.")

    event = event_of(request, "hitl_break_glass_used")
    assert event.actor == f"user:{staff.pk}"
    assert event.data["reason"] == "The building is on fire."
    assert event.data["bypassed"] == ["not_a_member", "approvals_missing"]
    assert event.data["decision"] == str(decision.pk)
    assert verify_stream(project.pk).valid


def test_an_owner_gets_past_authorship_claim_and_quorum_with_it(project, owner, client_of):
    other = join(project, "other")
    set_policy(project, required_approvals=3)
    asked(project)
    upload(owner, project)
    request = pending_request(project)
    client_of(other).post(f"/api/v1/hitl/requests/{request.pk}/claim/")

    break_glass(owner, request)

    event = event_of(request, "hitl_break_glass_used")
    assert event.data["bypassed"] == ["self_approval", "claimed", "approvals_missing"]
    assert fresh(request).status == "approved"


@pytest.mark.parametrize("action", sorted(ALLOWED["plan_approval"]))
def test_every_action_can_be_taken_with_it(project, staff, action):
    request = asked(project)

    break_glass(staff, request, action)

    assert fresh(request).status != "pending"


def test_an_answer_of_who_is_no_member_goes_on(project, staff):
    request = asked(project, "clarification")

    break_glass(staff, request, "answer")

    assert fresh(request).status == "answered"


@pytest.mark.parametrize("comment", ["", "  \n"])
def test_it_needs_a_reason(project, staff, comment):
    request = asked(project)

    with pytest.raises(Unprocessable) as refusal:
        break_glass(staff, request, comment=comment)

    assert refusal.value.code == "comment_required"
    assert not Decision.objects.exists()
    assert not Event.objects.filter(event_type="hitl_break_glass_used").exists()


@pytest.mark.parametrize("name", ["approver", "viewer"])
def test_others_have_no_glass_to_break(project, request, name):
    user, item = request.getfixturevalue(name), asked(project)

    with pytest.raises(Forbidden) as refusal:
        break_glass(user, item)

    assert refusal.value.code == "break_glass_not_allowed"
    assert fresh(item).status == "pending"


def test_it_does_not_get_past_what_was_not_shown(project, staff):
    request = asked(project)

    with pytest.raises(Conflict, match="what you were shown"):
        break_glass(staff, request, subject_digest="0" * 64)


def test_it_does_not_get_past_a_decision_that_stands(project, staff, approver):
    request = asked(project)
    decide_as(approver, request, "reject")

    with pytest.raises(Conflict, match="approver has decided already"):
        break_glass(staff, request)


def test_it_does_not_get_past_the_time(project, staff):
    set_policy(project, expire_after=60, on_timeout="reject")
    request = asked(project)
    let_pass(request, 61)

    with pytest.raises(Gone):
        break_glass(staff, request)


def test_a_decision_within_the_rules_is_not_marked(project, approver):
    request = asked(project)

    assert not decide_as(approver, request).is_break_glass
    assert not Event.objects.filter(event_type="hitl_break_glass_used").exists()


@pytest.mark.parametrize(
    ("name", "may"), [("owner", True), ("staff", True), ("approver", False), ("viewer", False)]
)
def test_everybody_sees_before_whether_they_may(project, request, client_of, name, may):
    item = asked(project)

    response = client_of(request.getfixturevalue(name)).get(f"/api/v1/hitl/requests/{item.pk}/")

    assert response.json()["may_break_glass"] is may


def test_rest_takes_it_as_a_flag_only(project, staff, client_of):
    item, api = asked(project), client_of(staff)
    path = f"/api/v1/hitl/requests/{item.pk}/decisions/"
    body = {"action": "approve", "subject_digest": item.subject_digest, "comment": "Urgent."}

    refused = api.post(path, body | {"break_glass": "yes"})
    response = api.post(path, body | {"break_glass": True})

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "break_glass")
    assert (response.status_code, response.json()["decision"]["is_break_glass"]) == (201, True)
