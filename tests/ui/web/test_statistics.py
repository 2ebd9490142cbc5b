from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.profiles import SESSION_KEY
from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import decide
from tests.scenes import agent_returns, work
from tests.ui.web.conftest import logged_in
from ui.web.inbox.statistics import short_duration

STATISTICS = "/admin/hitl/hitlrequest/statistics/"


def approve(request, user):
    decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action="approve",
        subject_digest=request.subject_digest,
        channel="admin",
    )


def figures(response):
    return {name: value for name, value, _ in response.context["figures"]}


@pytest.mark.django_db
def test_it_counts_what_waits_and_what_was_decided(plan_request, make_project, approver):
    approve(plan_request, approver)
    agent_returns(make_project(name="Ferry", auto_start=True), work())

    response = logged_in(approver).get(STATISTICS)

    assert figures(response)["Waiting now"] == 1
    assert figures(response)["Decisions"] == 1
    assert figures(response)["Approved as shown"] == "100 %"
    assert dict(response.context["actions"])["Approve"] == 1
    newest = response.context["spans"][0]
    assert (newest["opened"], newest["decisions"], newest["waiting"]) == (2, 1, 1)


@pytest.mark.django_db
def test_others_projects_are_not_counted(plan_request, approver, outsider):
    approve(plan_request, approver)
    response = logged_in(outsider).get(f"{STATISTICS}?project={plan_request.project_id}")
    assert figures(response)["Decisions"] == 0
    assert not any(number for _, number in response.context["actions"])


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "?period=day", "?period=x", "?project=1", "?period=quarter"])
def test_any_choice_has_an_answer_under_the_strict_policy(plan_request, approver, query):
    response = logged_in(approver).get(STATISTICS + query)
    assert response.status_code == 200
    assert "unsafe" not in response.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_days_are_chosen_in_the_time_zone_of_who_reads(plan_request, approver):
    approve(plan_request, approver)
    opened = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    HitlRequest.objects.filter(pk=plan_request.pk).update(created_at=opened)
    client = logged_in(approver)
    session = client.session
    session[SESSION_KEY] = "Europe/Vienna"
    session.save()
    days = f"{STATISTICS}?from=2026-02-01&to=2026-02-28"

    january = client.get(f"{STATISTICS}?from=2026-01-01&to=2026-01-31")
    february = client.get(days)

    for response, number in ((january, 0), (february, 1)):
        assert sum(row["opened"] for row in response.context["spans"]) == number
        assert figures(response)["Decisions"] == 0, "that was later"
    assert b"2026-02-01 to 2026-02-28" in february.content
    file = client.get(f"{days}&format=csv_over_time")
    assert file["Content-Disposition"].endswith('"over-time-2026-02-01-to-2026-02-28.csv"')
    first = "2026-02-01T00:00:00+01:00,2026-02-02T00:00:00+01:00,1,0,0,1"
    assert file.content.decode().splitlines()[1].startswith(first)
    till_now = client.get(f"{STATISTICS}?from=2026-02-01&format=csv").content.decode()
    assert till_now.splitlines()[1].startswith("approver,plan_approval,1,1,")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-02-30", b"From: Choose a day, such as"),
        ("from=2026-02-02&to=2026-02-01", b"To: Choose 2026-02-02 or a later day."),
        ("to=2026-02-01", b"From: Choose the first day as well."),
    ],
)
def test_a_wrong_day_is_named_and_no_file_is_made_of_it(approver, query, words):
    for form in ("", "&format=csv"):
        response = logged_in(approver).get(f"{STATISTICS}?{query}{form}")
        assert response.status_code == 400
        assert words in response.content


@pytest.mark.django_db
def test_only_who_may_enter_the_admin_reads_it(client, plan_request, approver):
    assert client.get(STATISTICS).status_code == 302
    assert logged_in(approver).post(STATISTICS).status_code == 405


@pytest.mark.django_db
def test_it_takes_as_many_queries_for_many_projects_as_for_one(make_project, approver, owner):
    client = logged_in(approver)

    def queries():
        agent_returns(make_project(auto_start=True), work())
        with CaptureQueriesContext(connection) as captured:
            client.get(STATISTICS)
        return len(captured)

    approver.is_staff = True
    approver.save(update_fields=["is_staff"])
    assert queries() == queries()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.04, "40 ms"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (10860, "3 h"),
        (3 * 86400, "3 days"),
    ],
)
def test_a_duration_has_the_unit_that_people_would_use(seconds, text):
    assert short_duration(seconds) == text
