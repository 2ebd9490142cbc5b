import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.protocols import TransientError
from agents.services import fail_attempt
from context.models import Artifact
from projects.models import Project
from tests.scenes import agent_returns, claim, pending_task, work
from tests.ui.web.conftest import logged_in

pytestmark = pytest.mark.django_db
ADD = "/admin/projects/project/add/"
GOOD = {
    "name": "Ferry",
    "brief": "A timetable for the ferry.",
    "workflow": "sdlc",
    "oversight_level": "medium",
    "auto_start": "on",
}


def page_of(project):
    return f"/admin/projects/project/{project.pk}/change/"


def steer(client, project, verb, **fields):
    response = client.post(f"/admin/projects/project/{project.pk}/{verb}/", fields)
    project.refresh_from_db()
    return response


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_who_creates_a_project_owns_it(staff_members, outsider):
    response = logged_in(outsider).post(ADD, GOOD)
    project = Project.objects.get(name="Ferry")
    assert response.url == page_of(project)
    assert (project.status, project.oversight_level) == ("active", "medium")
    assert project.memberships.get().role == "owner"
    assert project.memberships.get().user == outsider


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Give the project a name"),
        ("name", "x" * 201, "Give the project a name"),
        ("brief", " \n ", "Write a brief"),
        ("brief", "x" * 100_001, "shorten it to at most 100,000"),
        ("workflow", "waterfall", "There is no such workflow"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(staff_members, outsider, field, value, words):
    response = logged_in(outsider).post(ADD, GOOD | {field: value})
    assert response.status_code == 400
    assert words in str(response.context["form"].errors[field])
    assert not Project.objects.exists()


def test_null_characters_are_refused(staff_members, outsider):
    response = logged_in(outsider).post(ADD, GOOD | {"brief": "a\0b"})
    assert response.status_code == 400
    assert not Project.objects.exists()


def test_the_brief_is_stored_as_it_was_written(staff_members, outsider):
    brief = "  <b>שלום</b> 🚢\n\n- one\n"
    logged_in(outsider).post(ADD, GOOD | {"brief": brief})
    assert Project.objects.get().brief.replace("\r\n", "\n") == brief


def test_the_page_shows_steps_agents_artifacts_and_events(plan_request, running, viewer):
    page = logged_in(viewer).get(page_of(running)).content.decode()
    for words in (
        "Plan of the run",
        "0 of 8 done",
        "aiting for a person",
        "Brief",
    ):
        assert words in page
    context = logged_in(viewer).get(page_of(running)).context
    activity = [entry.text for entry in context["timeline"]]
    assert activity[0] == plan_request.title
    assert "Project started by owner" in activity


def test_a_step_says_how_long_its_work_took(plan_request, running, viewer):
    step = logged_in(viewer).get(page_of(running)).context["progress"]["steps"][0]
    assert step["work"].started_at is not None
    assert step["work"].finished_at is None


def test_a_step_offers_to_rewind_to_it(plan_request, running, owner, approver):
    page = logged_in(owner).get(page_of(running)).content.decode()
    assert "?rewind=orchestrate#steer" in page
    chosen = logged_in(owner).get(page_of(running) + "?rewind=orchestrate").content.decode()
    assert '<option value="orchestrate" selected>' in chosen
    assert "?rewind=" not in logged_in(approver).get(page_of(running)).content.decode()


def test_it_takes_as_many_queries_with_much_history_as_with_little(
    plan_request, running, owner, approver
):
    client, request, counts = logged_in(owner), plan_request, []
    for body in ("First", "Second", "Third"):
        data = {"action": "request_changes", "comment": "Again"}
        decide = f"/admin/hitl/hitlrequest/{request.pk}/decide/"
        client.post(decide, data | {"subject_digest": request.subject_digest})
        request = agent_returns(running, work(body=body))
        with CaptureQueriesContext(connection) as queries:
            client.get(page_of(running))
        counts.append(len(queries))

    assert counts[0] == counts[1] == counts[2] < 35


def test_an_owner_pauses_resumes_and_cancels(running, owner):
    client = logged_in(owner)
    steer(client, running, "pause")
    assert running.status == "paused"
    steer(client, running, "resume")
    assert running.status == "active"
    steer(client, running, "cancel", reason="No money")
    assert (running.status, running.status_reason) == ("cancelled", "No money")


def test_a_draft_is_started(project, staff_members, owner):
    steer(logged_in(owner), project, "start")
    assert project.status == "active"


def test_pausing_twice_says_what_is_possible(running, owner):
    client = logged_in(owner)
    steer(client, running, "pause")
    response = steer(client, running, "pause")
    assert "(invalid_transition)" in said(response)[-1]
    assert running.status == "paused"


def test_only_owners_steer(running, approver, viewer, outsider):
    for user in (approver, viewer):
        response = steer(logged_in(user), running, "pause")
        assert "(role_too_low)" in said(response)[-1]
        assert "/cancel/" not in logged_in(user).get(page_of(running)).content.decode()
    assert steer(logged_in(outsider), running, "pause").status_code == 404
    assert running.status == "active"


def test_steering_needs_a_post_with_a_csrf_token(running, owner):
    client = logged_in(owner)
    assert client.get(f"/admin/projects/project/{running.pk}/pause/").status_code == 405
    client.handler.enforce_csrf_checks = True
    assert steer(client, running, "pause").status_code == 403
    assert running.status == "active"


def test_rewinding_runs_the_step_again(plan_request, running, owner):
    response = steer(logged_in(owner), running, "rewind", step="orchestrate", comment="Think again")
    assert response.status_code == 302
    rounds = running.tasks.filter(step="orchestrate").order_by("round")
    assert [task.is_current for task in rounds] == [False, True]
    assert running.run.feedback["orchestrate"][0]["comment"] == "Think again"


def test_rewinding_to_nowhere_is_refused(plan_request, running, owner):
    response = steer(logged_in(owner), running, "rewind", step="nowhere")
    assert "There is no step" in said(response)[-1]


def test_an_outsider_finds_no_project(running, outsider):
    assert logged_in(outsider).get(page_of(running)).status_code == 404


def test_an_artifact_is_read_and_compared_version_by_version(plan_request, running, owner):
    client = logged_in(owner)
    artifact = Artifact.objects.get(artifact_type="agent_output")
    base = f"/admin/context/artifact/{artifact.pk}/change/"
    assert "A plan of the run." in client.get(base).content.decode()
    assert client.get(base + "?version=1&against=1").status_code == 200
    for query in ("?version=2", "?version=x", "?against=-1", "?version=99999999999"):
        assert client.get(base + query).status_code == 404


def test_an_outsider_finds_no_artifact(plan_request, outsider):
    artifact = Artifact.objects.get(artifact_type="agent_output")
    response = logged_in(outsider).get(f"/admin/context/artifact/{artifact.pk}/change/")
    assert response.status_code == 404


def test_a_wait_for_the_next_attempt_is_shown_and_ended_with_a_button(running, owner, viewer):
    task = pending_task(running)
    wait = TransientError("model_rate_limited", "Slow down.", retry_after=2099)
    fail_attempt(claim=claim(task), error=wait)

    retry = f"/admin/projects/project/{running.pk}/tasks/{task.pk}/retry/"
    assert "Slow down." in logged_in(viewer).get(page_of(running)).content.decode()
    assert retry not in logged_in(viewer).get(page_of(running)).content.decode()
    assert retry in logged_in(owner).get(page_of(running)).content.decode()
    logged_in(owner).post(retry)
    assert claim(task).task.attempt == 2
