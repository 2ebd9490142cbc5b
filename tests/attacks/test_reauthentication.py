"""Whoever finds an open browser, or a token, decides what asks for the password again."""

import uuid

import pytest
from django.test import Client
from rest_framework.test import APIClient

from core import login_throttle, reauthentication
from core.token_bucket import SharedTokenBuckets
from hitl import rules
from hitl.models import Decision
from tests.scenes import asked, decide_as, fresh, join, set_policy

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_counters(monkeypatch):
    """Tries of other tests are no tries of this one."""
    tries = SharedTokenBuckets(f"login-{uuid.uuid4()}")
    monkeypatch.setattr(login_throttle, "login_tries", tries)


@pytest.fixture
def sensitive(project, approver):
    set_policy(project, reauthenticate=["plan_approval"])
    approver.is_staff = True
    approver.save()
    return asked(project)


@pytest.fixture
def browser(approver):
    """Logged in an hour ago."""
    client = Client()
    client.force_login(approver)
    grow_old(client)
    return client


def grow_old(client):
    session = client.session
    session[reauthentication.AUTHENTICATED_AT] -= 3600
    session.save()


def decide_on_page(client, request, **fields):
    body = {"action": "approve", "subject_digest": request.subject_digest} | fields
    return client.post(f"/admin/hitl/hitlrequest/{request.pk}/decide/", body)


def decide_by_rest(client, request):
    body = {"action": "approve", "subject_digest": request.subject_digest}
    return client.post(f"/api/v1/hitl/requests/{request.pk}/decisions/", body)


def test_an_open_browser_is_not_enough(sensitive, browser):
    page = browser.get(f"/admin/hitl/hitlrequest/{sensitive.pk}/change/").content.decode()
    refused = decide_on_page(browser, sensitive)
    guessed = decide_on_page(browser, sensitive, password="no idea")

    assert 'type="password" name="password"' in page
    assert (refused.status_code, guessed.status_code) == (403, 403)
    assert "reauthentication_required" in refused.content.decode()
    assert "wrong_password" in guessed.content.decode()
    assert not Decision.objects.exists()
    assert decide_on_page(browser, sensitive, password="approver-password").status_code == 302
    decision = Decision.objects.get()
    assert decision.assurance == "reauthenticated"


def test_without_the_check_an_open_browser_is_enough(sensitive, browser, monkeypatch):
    monkeypatch.setattr("hitl.services.decisions.check_assurance", lambda request, given: given)

    assert decide_on_page(browser, sensitive).status_code == 302


def test_guessing_is_slow(sensitive, browser, settings):
    settings.LOGIN_TRIES = 3
    answers = [decide_on_page(browser, sensitive, password=f"guess {n}") for n in range(5)]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]


def test_a_token_and_a_terminal_are_told_where_to_do_it(sensitive, approver, client_of):
    answer = decide_by_rest(client_of(approver), sensitive)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "reauthentication_required")
    assert problem["where"] == f"/admin/hitl/hitlrequest/{sensitive.pk}/change/"
    with pytest.raises(rules.Forbidden, match="/admin/reauthenticate/"):
        decide_as(approver, sensitive, assurance="terminal")


def test_a_session_decides_by_rest_once_the_page_has_asked(sensitive, browser):
    api = APIClient()
    api.cookies = browser.cookies
    assert decide_by_rest(api, sensitive).json()["code"] == "reauthentication_required"

    wrong = browser.post("/admin/reauthenticate/", {"password": "no idea"})
    right = browser.post(
        "/admin/reauthenticate/",
        {"password": "approver-password", "next": "https://elsewhere.example/"},
    )

    assert (wrong.status_code, right.status_code, right.url) == (403, 302, "/admin/")
    answer = decide_by_rest(api, sensitive)
    assert answer.status_code == 201
    assert answer.json()["decision"]["assurance"] == "reauthenticated"


def test_break_glass_and_many_at_once_do_not_go_past_it(sensitive, project, owner, browser):
    with pytest.raises(rules.Forbidden):
        decide_as(owner, sensitive, break_glass=True, assurance="session")
    browser.get(f"/admin/hitl/hitlrequest/{sensitive.pk}/change/")
    browser.post(
        "/admin/hitl/hitlrequest/",
        {
            "action": "approve",
            "_selected_action": [str(sensitive.pk)],
            f"digest-{sensitive.pk}": sensitive.subject_digest,
            "password": "no idea",
        },
    )
    assert fresh(sensitive).status == "pending"


def test_to_ask_no_more_takes_two_owners_or_leaves_a_mark(sensitive, project, owner):
    set_policy(project, reauthenticate=[])
    assert fresh(project).policy_loosened_at is not None
    join(project, "second", "owner")
    set_policy(project, reauthenticate=["plan_approval"])
    set_policy(project, reauthenticate=[])

    assert fresh(project).hitl_policy.reauthenticate == ["plan_approval"]


@pytest.mark.parametrize("how", ["session", "token"])
def test_every_decision_says_how_it_was_assured(project, approver, client_of, how):
    request = asked(project)
    api = client_of(approver)
    if how == "session":
        api = APIClient()
        api.force_login(approver)

    answer = decide_by_rest(api, request)

    assert answer.json()["decision"]["assurance"] == how
