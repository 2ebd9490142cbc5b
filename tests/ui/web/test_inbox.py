import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from context.services import add_version
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.services import add_member
from tests.scenes import agent_returns, questions, work
from tests.ui.web.conftest import logged_in, open_request
from tools.benchmarks.queue import Queue
from ui.web.inbox.inbox import next_for
from ui.web.models import SavedFilter

pytestmark = pytest.mark.django_db


def inbox(user, query=""):
    return logged_in(user).get(f"/admin/{query}")


def titles(response):
    return [row["request"].title for row in response.context["rows"]]


def test_the_first_screen_shows_what_waits_for_me_and_what_it_blocks(plan_request, approver):
    response = inbox(approver)
    page = response.content.decode()
    assert titles(response) == [plan_request.title]
    assert "Project plan, Software specification, System architecture and 4 more" in page
    assert "<title>(1) Inbox" in page


def test_what_others_decide_is_not_waiting_for_me(plan_request, viewer, outsider, staff):
    assert titles(inbox(viewer)) == []
    assert titles(inbox(viewer, "?whose=all")) == [plan_request.title]
    assert titles(inbox(outsider, "?whose=all")) == []
    assert titles(inbox(staff)) == []
    assert titles(inbox(staff, "?whose=all")) == [plan_request.title]


def test_it_can_be_filtered_and_searched(plan_request, make_project, approver):
    asked = agent_returns(make_project(name="Ferry", auto_start=True), questions())
    assert titles(inbox(approver, "?kind=clarification")) == [asked.title]
    assert titles(inbox(approver, f"?project={plan_request.project_id}")) == [plan_request.title]
    assert titles(inbox(approver, "?q=ferry")) == [asked.title]
    assert titles(inbox(approver, "?phase=launch")) == []
    assert titles(inbox(approver, "?overdue=on")) == []
    assert titles(inbox(approver, "?agent_type=orchestrator")) == [plan_request.title, asked.title]


@pytest.mark.parametrize("query", ["?kind=x", "?project=1", "?page=x", "?page=-1", "?q=%00"])
def test_a_nonsensical_choice_breaks_nothing(plan_request, approver, query):
    assert inbox(approver, query).status_code == 200


def test_many_are_approved_from_the_inbox_and_each_has_its_own_answer(
    plan_request, make_project, approver
):
    asked = agent_returns(make_project(name="Ferry", auto_start=True), questions())
    data = {"origin": "inbox", "action": "approve"}
    both = [plan_request, asked]
    data |= {f"digest-{one.pk}": one.subject_digest for one in both}
    data["_selected_action"] = [str(one.pk) for one in both]
    client = logged_in(approver)
    for request in both:
        open_request(client, request)
    response = client.post("/admin/hitl/hitlrequest/", data, follow=True)
    said = [str(message) for message in response.context["messages"]]
    assert response.redirect_chain[-1][0] == "/admin/"
    assert any("approved" in one for one in said)
    assert any("(action_not_allowed)" in one for one in said)


def test_a_row_says_what_it_is_about_and_whether_i_have_opened_it(running, approver):
    asked = agent_returns(running, questions())
    client = logged_in(approver)
    row = client.get("/admin/").context["rows"][0]
    assert (row["preview"], row["is_read"]) == (asked.subject["questions"][0], False)
    open_request(client, asked)
    assert client.get("/admin/").context["rows"][0]["is_read"]


def test_a_decision_in_the_preview_leads_back_to_the_inbox(plan_request, make_project, approver):
    agent_returns(make_project(name="Ferry", auto_start=True), questions())
    data = {"action": "approve", "subject_digest": plan_request.subject_digest, "origin": "inbox"}
    path = f"/admin/hitl/hitlrequest/{plan_request.pk}/decide/"
    assert logged_in(approver).post(path, data).url == "/admin/"


def test_a_filter_is_kept_by_name_for_oneself(plan_request, approver, owner):
    client = logged_in(approver)
    data = {"name": "Plans", "query": "kind=plan_approval&page=7&evil=1"}
    assert client.post("/admin/filters/", data).url == "/admin/?kind=plan_approval"
    client.post("/admin/filters/", data | {"query": "kind=result_approval"})
    [saved] = client.get("/admin/").context["saved_filters"]
    assert (saved.name, saved.query) == ("Plans", "kind=result_approval")
    assert inbox(owner).context["saved_filters"] == []
    logged_in(owner).post(f"/admin/filters/{saved.pk}/remove/")
    assert SavedFilter.objects.exists()
    client.post(f"/admin/filters/{saved.pk}/remove/")
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize("query", ["", "page=2", "evil=1"])
def test_a_filter_that_filters_nothing_is_not_kept(staff_members, approver, query):
    page = logged_in(approver).post("/admin/filters/", {"name": "x", "query": query}, follow=True)
    assert "Filter: " in page.content.decode()
    assert not SavedFilter.objects.exists()


def test_what_an_agent_wrote_is_never_markup(running, approver):
    evil = '<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7|add:7 }} x-init="alert(1)"'
    outcome = work(summary=evil, body=evil + "\n\n[a](javascript:alert(1))")
    request = agent_returns(running, outcome)
    page = logged_in(approver).get(f"/admin/hitl/hitlrequest/{request.pk}/change/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'href="javascript' not in page


def test_the_count_is_asked_for_by_itself(plan_request, approver, viewer):
    url = "/admin/hitl/hitlrequest/waiting/"
    assert logged_in(approver).get(url).json() == {"waiting": 1}
    assert logged_in(viewer).get(url).json() == {"waiting": 0}


def test_the_inbox_takes_as_many_queries_for_twelve_as_for_two(
    plan_request, make_project, approver, owner, django_assert_num_queries
):
    def add(number):
        project = make_project(name=f"Library {number}", auto_start=True)
        agent_returns(project, work())

    client = logged_in(approver)
    add(0)
    with CaptureQueriesContext(connection) as few:
        assert len(client.get("/admin/").context["rows"]) == 2
    for number in range(1, 11):
        add(number)
    with django_assert_num_queries(len(few)):
        assert len(client.get("/admin/").context["rows"]) == 12


@pytest.mark.administrator
@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/?kind=result_approval", "/api/v1/hitl/requests/?mine=true"]
)
def test_many_pages_of_requests_take_as_many_queries_as_one(path):
    queue = Queue(projects=2)
    client = logged_in(queue.person)

    def queries_with(waiting):
        queue.fill(waiting)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    assert queries_with(20) == queries_with(320)


@pytest.mark.long
@pytest.mark.administrator
@pytest.mark.timeout(900)
def test_a_hundred_thousand_requests_take_as_many_queries_as_twenty():
    queue = Queue(projects=2)
    client = logged_in(queue.person)
    paths = ("/admin/", "/admin/?kind=result_approval", "/api/v1/hitl/requests/?mine=true")

    def queries_with(waiting):
        queue.fill(waiting)
        with CaptureQueriesContext(connection) as captured:
            assert [client.get(path).status_code for path in paths] == [200, 200, 200]
        return len(captured)

    assert queries_with(20) == queries_with(100_000)


def test_a_person_without_any_project_is_welcomed(staff_members, outsider):
    response = inbox(outsider)
    page = response.content.decode()
    assert response.context["waiting_count"] == 0
    assert "/admin/projects/project/add/" in page


def test_who_is_added_later_finds_it_waiting(plan_request, owner, outsider):
    actor = Actor.of_user(owner)
    outsider = User.objects.get(pk=outsider.pk)
    add_member(project_id=plan_request.project_id, actor=actor, user=outsider, role="approver")
    assert titles(inbox(outsider)) == [plan_request.title]


def test_what_i_wrote_waits_for_somebody_else(plan_request, owner, approver):
    artifact = plan_request.subject["outputs"][0]["artifact"]
    own = {"summary": "Mine.", "body": "By hand."}
    add_version(actor=Actor.of_user(owner), artifact_id=artifact, content=own)
    advance_project(plan_request.project_id)
    newer = HitlRequest.objects.pending().get()

    assert (next_for(owner), next_for(approver)) == (None, newer)
    assert titles(inbox(owner)) == []
    assert inbox(owner).context["waiting_count"] == 0
    assert [row["may_decide"] for row in inbox(owner, "?whose=all").context["rows"]] == [False]
    assert [row["may_decide"] for row in inbox(approver).context["rows"]] == [True]
