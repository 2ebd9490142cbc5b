"""The page of a request about what an agent is about to do: the whole call, then what it claims."""

import pytest

from audit.actors import Actor
from hitl.agent_actions.asks import ask_action
from hitl.models import AgentAction
from projects.credentials import create_credential

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_page(make_project, owner, approver, client):
    project = make_project(workflow="none", auto_start=True)
    credential, _ = create_credential(
        project_id=project.pk, actor=Actor.of_user(owner), name="support", scopes=["ask"]
    )
    action, _ = ask_action(
        project_id=project.pk,
        credential=credential,
        idempotency_key="k",
        tool={"name": "refund"},
        arguments={"order": "12\u202e34", "amount": 12.5},
        agent={"name": "support"},
        why="<b>Trust me</b>",
        hints={"destructiveHint": True},
    )
    approver.is_staff = True
    approver.save()
    client.force_login(approver)
    request = action.requests.get()
    return request, client.get(f"/admin/hitl/hitlrequest/{request.pk}/change/")


def test_the_card_shows_the_call_complete_and_escaped(request_page):
    _, page = request_page
    text = page.content.decode()
    assert page.status_code == 200
    assert "destructive" in text
    assert "\u202e" not in text
    assert "12.5" in text
    assert "<b>Trust me</b>" not in text
    assert "project stops" not in text


def test_it_is_approved_on_its_page(request_page, client):
    request, _ = request_page
    answer = client.post(
        f"/admin/hitl/hitlrequest/{request.pk}/decide/",
        {"action": "approve", "subject_digest": request.subject_digest},
    )
    request.agent_action.refresh_from_db()
    assert (answer.status_code, request.agent_action.status) == (302, "approved")


def test_changed_arguments_are_not_shown_as_what_was_asked(request_page, client):
    request, _ = request_page
    AgentAction.objects.update(arguments='{"amount":9999}')
    page = client.get(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "9999" not in text
    assert "integrity" in text


def test_a_draft_of_other_arguments_is_checked(request_page, client):
    request, _ = request_page
    path = f"/admin/hitl/hitlrequest/{request.pk}/check/"
    good = client.post(path, {"content": '{"order": "1"}'})
    bad = client.post(path, {"content": "[1]"})
    assert (good.json()["is_valid"], bad.json()["is_valid"]) == (True, False)
