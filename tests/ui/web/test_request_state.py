"""Who has claimed a request, how many have approved, its deadlines, and the discussion."""

import pytest

from audit.actors import Actor
from hitl.models import Comment, Decision, HitlRequest
from hitl.services import claim_request
from projects.services import pause_project
from tests.scenes import agent_returns, let_pass, set_policy, time_out, work
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def page_of(request):
    return f"/admin/hitl/hitlrequest/{request.pk}/change/"


def press(who, request, verb, **fields):
    url = f"/admin/hitl/hitlrequest/{request.pk}/{verb}/"
    return logged_in(who).post(url, fields, follow=True)


def shown(user, request):
    return logged_in(user).get(page_of(request)).content.decode()


def said(response):
    return [str(message) for message in response.context["messages"]]


@pytest.fixture
def asked_of_two(running):
    set_policy(running, required_approvals=2)
    return agent_returns(running, work())


def test_the_page_says_how_many_approvals_are_given_and_by_whom(asked_of_two, owner, approver):
    fields = {"action": "approve", "subject_digest": asked_of_two.subject_digest}
    first = press(approver, asked_of_two, "decide", **fields)
    assert "1 of 2 approvals" in said(first)[0]

    page = shown(owner, asked_of_two)
    assert "1 of 2 approvals" in page
    assert "approver: approve" in page
    assert "(already_decided)" in shown(approver, asked_of_two)
    press(owner, asked_of_two, "decide", **fields)
    assert HitlRequest.objects.get(pk=asked_of_two.pk).status == "approved"


def test_who_takes_it_has_it_until_released(plan_request, owner, approver):
    press(approver, plan_request, "claim")
    assert "(claimed)" in shown(owner, plan_request)
    assert logged_in(owner).get("/admin/").context["waiting_count"] == 0

    press(approver, plan_request, "release")
    assert logged_in(owner).get("/admin/").context["waiting_count"] == 1


def test_it_is_handed_to_who_may_decide(plan_request, owner, approver, viewer):
    page = shown(owner, plan_request)
    assert '<option value="approver">' in page
    assert '<option value="viewer">' not in page
    press(owner, plan_request, "reassign", user="approver")
    assert HitlRequest.objects.get(pk=plan_request.pk).claimed_by == approver
    refused = press(owner, plan_request, "reassign", user="viewer")
    assert refused.status_code == 422
    assert "(assignee_cannot_decide)" in refused.content.decode()
    assert press(owner, plan_request, "reassign", user="nobody").status_code == 400


def test_a_viewer_has_no_buttons_and_an_outsider_no_page(plan_request, viewer, outsider):
    page = shown(viewer, plan_request)
    for verb in ("claim", "release", "reassign", "comment"):
        assert f"/{verb}/" not in page
        refused = press(viewer, plan_request, verb, user="approver", text="Hello")
        assert (refused.status_code, "(role_too_low)" in refused.content.decode()) == (403, True)
        assert press(outsider, plan_request, verb).status_code == 404
    assert not Comment.objects.exists()


def test_looking_hands_nothing_on(plan_request, approver):
    for verb in ("claim", "release", "reassign", "comment"):
        url = f"/admin/hitl/hitlrequest/{plan_request.pk}/{verb}/"
        assert logged_in(approver).get(url).status_code == 405


def test_all_members_read_the_thread_as_text(plan_request, approver, viewer):
    press(approver, plan_request, "comment", text="Is <b>two weeks</b> right?")
    page = shown(viewer, plan_request)
    assert "Is &lt;b&gt;two weeks&lt;/b&gt; right?" in page
    empty = press(approver, plan_request, "comment", text=" ")
    assert "Write something" in empty.content.decode()


def test_the_deadline_and_what_happens_then_are_told(running, approver, owner):
    set_policy(running, due_after=3600, expire_after=7200, on_timeout="reject")
    request = agent_returns(running, work())
    page = shown(approver, request)
    assert "(1 hour left), the request expires and the project stops." in page
    assert "1 hour left" in logged_in(approver).get("/admin/").content.decode()

    let_pass(request, 4000)
    assert "Overdue since" in shown(approver, request)
    assert "overdue, 5" in logged_in(approver).get("/admin/").content.decode()

    pause_project(project_id=running.pk, actor=Actor.of_user(owner))
    assert "deadlines are paused" in shown(approver, request)


def test_what_timed_out_is_told_to_who_may_not_decide_any_more(running, approver, owner):
    set_policy(running, expire_after=60, on_timeout="escalate")
    request = time_out(agent_returns(running, work()))
    assert "(escalated)" in shown(approver, request)
    assert "only an owner can decide now" in shown(owner, request)
    assert "owners only" in logged_in(owner).get("/admin/").content.decode()


def test_an_owner_may_go_past_the_rules_with_a_reason(plan_request, owner, approver):
    claim_request(request_id=plan_request.pk, actor=Actor.of_user(approver))
    assert 'name="break_glass"' in shown(owner, plan_request)
    fields = {
        "action": "approve",
        "subject_digest": plan_request.subject_digest,
        "break_glass": "1",
    }

    refused = press(owner, plan_request, "decide", **fields)
    assert (refused.status_code, Decision.objects.count()) == (422, 0)

    press(owner, plan_request, "decide", comment="The fair is tomorrow.", **fields)
    assert Decision.objects.get().is_break_glass
    assert "against the rules" in shown(approver, plan_request)


def test_where_no_rule_is_in_the_way_there_is_none_to_go_past(plan_request, owner, approver, staff):
    assert 'name="break_glass"' not in shown(owner, plan_request)
    assert 'name="break_glass"' not in shown(approver, plan_request)
    assert "you are not a member of the project" in shown(staff, plan_request)
