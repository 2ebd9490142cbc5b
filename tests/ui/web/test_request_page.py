import json

import pytest

from core.content_security import STRICT
from core.text import escaped
from hitl.models import Decision, HitlRequest
from hitl.rules import allowed_actions
from tests.scenes import agent_returns, questions, work
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]
INDEX = "/admin/"


def page_of(request):
    return f"/admin/hitl/hitlrequest/{request.pk}/change/"


def post(client, request, action, **fields):
    data = {"action": action, "subject_digest": request.subject_digest} | fields
    return client.post(f"/admin/hitl/hitlrequest/{request.pk}/decide/", data)


def check(client, request, content):
    url = f"/admin/hitl/hitlrequest/{request.pk}/check/"
    return client.post(url, {"content": content}).json()


def test_the_page_shows_what_is_asked_and_each_way_to_decide(plan_request, approver):
    page = logged_in(approver).get(page_of(plan_request)).content.decode()
    assert work().notes in page
    assert plan_request.subject_digest in page
    for action in allowed_actions(plan_request):
        assert f'name="action" value="{action}"' in page


def test_the_page_has_a_strict_policy_and_no_inline_script_or_style(plan_request, approver):
    response = logged_in(approver).get(page_of(plan_request))
    page = response.content.decode()
    assert response["Content-Security-Policy"] == STRICT
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick=" not in page
    scripts = [part.split(">")[0] for part in page.split("<script")[1:]]
    assert all("src=" in one or "application/json" in one for one in scripts)


def test_looking_decides_nothing(plan_request, approver):
    client = logged_in(approver)
    client.get(page_of(plan_request))
    assert client.get(f"/admin/hitl/hitlrequest/{plan_request.pk}/decide/").status_code == 405
    assert not Decision.objects.exists()


def test_who_may_not_see_the_project_finds_no_page(plan_request, outsider):
    client = logged_in(outsider)
    assert client.get(page_of(plan_request)).status_code == 404
    assert post(client, plan_request, "approve").status_code == 404
    assert client.post(f"/admin/hitl/hitlrequest/{plan_request.pk}/check/").status_code == 404


def test_who_may_not_decide_is_told_before_trying(plan_request, viewer, staff):
    page = logged_in(viewer).get(page_of(plan_request)).content.decode()
    assert "(role_too_low)" in page
    assert "owner, approver" in page
    assert 'value="approve"' not in page
    assert "(not_a_member)" in logged_in(staff).get(page_of(plan_request)).content.decode()


def test_who_may_not_decide_is_refused_when_trying_all_the_same(plan_request, viewer, staff):
    assert post(logged_in(viewer), plan_request, "approve").status_code == 403
    assert post(logged_in(staff), plan_request, "approve").status_code == 403
    assert not Decision.objects.exists()


def test_after_approving_the_last_one_the_inbox_comes(plan_request, approver):
    response = post(logged_in(approver), plan_request, "approve")
    assert response.url == INDEX
    plan_request.refresh_from_db()
    assert plan_request.status == "approved"


def test_after_approving_the_next_one_comes(plan_request, make_project, approver, owner):
    other = make_project(name="Other", auto_start=True)
    waiting = agent_returns(other, work())
    assert post(logged_in(approver), plan_request, "approve").url == page_of(waiting)


def test_deciding_twice_shows_the_standing_decision(plan_request, approver, owner):
    post(logged_in(approver), plan_request, "approve")
    response = post(logged_in(owner), plan_request, "reject", comment="No")
    assert response.status_code == 409
    assert "approver has decided already" in response.content.decode()


def test_what_changed_since_it_was_shown_is_refused(plan_request, approver):
    client = logged_in(approver)
    assert post(client, plan_request, "approve", subject_digest="0" * 64).status_code == 409
    assert not Decision.objects.exists()


@pytest.mark.parametrize("action", ["reject", "request_changes"])
def test_a_missing_comment_brings_the_page_back(plan_request, approver, action):
    response = post(logged_in(approver), plan_request, action)
    assert response.status_code == 422
    assert "(comment_required)" in response.content.decode()


def test_requested_changes_bring_a_new_request_with_the_difference(plan_request, running, approver):
    client = logged_in(approver)
    post(client, plan_request, "request_changes", comment="Say it shorter")
    again = agent_returns(running, work(body="# The plan\n\nBuild"))
    page = client.get(page_of(again)).content.decode()
    assert "since version 1" in page
    assert "Say it shorter" in page
    assert again.previous == plan_request


def test_a_clarification_is_answered_question_by_question(running, approver):
    asked = agent_returns(running, questions())
    client = logged_in(approver)
    assert "For how long?" in client.get(page_of(asked)).content.decode()
    post(client, asked, "answer", **{"answer-0": "Members", "answer-1": "Two weeks"})
    decision = Decision.objects.get()
    assert decision.content == {"Who lends?": "Members", "For how long?": "Two weeks"}


def test_an_empty_answer_is_no_answer(running, approver):
    asked = agent_returns(running, questions())
    response = post(logged_in(approver), asked, "answer")
    assert response.status_code == 422
    assert "(content_required)" in response.content.decode()


def test_an_amendment_is_checked_while_it_is_written(plan_request, approver):
    client = logged_in(approver)
    assert check(client, plan_request, '{"summary": "s", "body": "b"}')["is_valid"]
    wrong = check(client, plan_request, '{"summary": "", "colour": 1}')["errors"]
    assert {one["field"] for one in wrong} == {"content.summary", "content.body", "content.colour"}
    assert "line 2" in check(client, plan_request, '{\n"summary" 1}')["errors"][0]["detail"]
    assert check(client, plan_request, "[" * 100_000)["is_valid"] is False
    assert check(client, plan_request, '"\ud800"'.encode("utf-8", "surrogatepass").decode("latin"))


def test_an_invalid_amendment_keeps_what_was_written(plan_request, approver):
    response = post(logged_in(approver), plan_request, "amend", content='{"summary": "mine"}')
    page = response.content.decode()
    assert response.status_code == 400
    assert "Body: " in page
    assert "&quot;mine&quot;" in page
    assert not Decision.objects.exists()


def test_an_amendment_becomes_the_next_version_by_the_person(plan_request, approver):
    mine = {"summary": "Mine.", "body": "# My plan"}
    post(logged_in(approver), plan_request, "amend", content=json.dumps(mine))
    plan_request.refresh_from_db()
    assert plan_request.status == "amended"
    artifact = plan_request.task.result["outputs"] if plan_request.task.result else []
    assert artifact[0]["version"] == 2


def test_a_settled_request_offers_no_choice(plan_request, approver):
    client = logged_in(approver)
    post(client, plan_request, "approve")
    page = client.get(page_of(plan_request)).content.decode()
    assert 'name="subject_digest"' not in page


def test_an_unknown_id_is_not_found(approver, staff_members):
    client = logged_in(approver)
    assert client.get("/admin/hitl/hitlrequest/nonsense/change/").status_code == 404
    missing = HitlRequest().pk
    assert client.get(f"/admin/hitl/hitlrequest/{missing}/change/").status_code == 404


def test_what_an_agent_hides_is_shown_and_an_amendment_keeps_its_value(running, approver):
    request = agent_returns(
        running, work("Plan \u202e", body="a\u200bb \u202e", notes="\U000e0041")
    )

    page = logged_in(approver).get(page_of(request)).content.decode()

    assert escaped(page) == page
    assert "a‹U+200B›b" in page
    assert "a\\u200bb \\u202e" in page
