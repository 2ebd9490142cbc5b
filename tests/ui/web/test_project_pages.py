"""The list of projects, what a new one starts from, requirements with their tests, the log."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from context.services import create_artifact
from hitl.models import Decision, Reading
from projects.models import Project
from tests.scenes import agent_returns, stop, work
from tests.ui.web.conftest import logged_in
from tests.ui.web.test_decide_first import REQUIREMENT, specified
from ui.web.projects.new_project import examples

pytestmark = pytest.mark.django_db
LIST, ADD = "/admin/projects/project/", "/admin/projects/project/add/"
GOOD = {"name": "Ferry", "workflow": "none", "oversight_level": "high"}
COUNTS = {"run": 1, "passed": 0, "failed": 1, "errors": 0, "skipped": 0}
RESULTS = {
    **{"summary": "One failed.", "command": "", "exit_code": 1, "passed": False},
    **{"timed_out": False, "counts": COUNTS, "failures": [], "output": "", "duration_ms": 1},
    **{"isolation": {}},
}


def figures(client):
    page = client.get(LIST)
    return {project.name: project.figures for project in page.context["cl"].result_list}


def test_the_list_says_what_a_project_waits_for_and_since_when(plan_request, running, viewer):
    row = figures(logged_in(viewer))[running.name]
    assert (row.completed, row.total) == (0, 8)
    assert row.waits_for == f"a person: {plan_request.title}"
    assert (row.since, row.request) == (plan_request.created_at, plan_request.pk)
    assert row.cost.startswith("1 attempt")


def test_a_stop_is_what_it_waits_for(plan_request, running, owner):
    stop(owner, project_id=running.pk)
    row = figures(logged_in(owner))[running.name]
    assert row.waits_for == "the release of an emergency stop"


def test_a_stop_of_an_agent_that_has_no_work_there_is_not(running, owner, staff):
    stop(staff, agent_type="coder")
    row = figures(logged_in(owner))[running.name]
    assert row.waits_for == "a worker"
    stop(staff, agent_type="orchestrator")
    row = figures(logged_in(owner))[running.name]
    assert row.waits_for == "the release of an emergency stop"


def test_the_way_back_to_the_list_keeps_its_filters(running, viewer):
    client = logged_in(viewer)
    html = client.get(f"{LIST}?status__exact=active").content.decode()
    [link] = re.findall(rf'href="({LIST}{running.pk}/change/[^"]*)"', html)
    page = client.get(link).content.decode()
    assert f'<a href="{LIST}?status__exact=active">Projects</a>' in page


def test_the_list_takes_as_many_queries_for_five_projects_as_for_two(
    plan_request, make_project, owner
):
    client, counts = logged_in(owner), []
    for number in range(4):
        agent_returns(make_project(name=f"Library {number}", auto_start=True), work())
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST)
        counts.append(len(queries))
    assert len(set(counts)) == 1
    assert counts[0] < 20


def test_somebody_without_a_project_is_offered_examples(staff_members, outsider):
    for path in (LIST, "/admin/"):
        page = logged_in(outsider).get(path).content.decode()
        assert f"{ADD}?example=library" in page
        assert "MODEL_DEFAULT" in page


def test_an_example_is_one_click_away_and_stays_word_for_word(staff_members, outsider):
    client = logged_in(outsider)
    form = client.get(f"{ADD}?example=library").context["form"]
    assert form["brief"].value() == next(e.brief for e in examples() if e.key == "library")
    # As browsers send it.
    brief = form["brief"].value().replace("\n", "\r\n")
    client.post(ADD, GOOD | {"brief": brief})
    assert Project.objects.get().brief == form["brief"].value()


def test_a_brief_may_come_as_a_file(staff_members, outsider):
    file = SimpleUploadedFile("brief.md", "Fähre\n".encode())
    logged_in(outsider).post(ADD, GOOD | {"brief": "Not this", "brief_file": file})
    assert Project.objects.get().brief == "Fähre\n"


def test_a_file_that_is_no_text_is_refused_at_its_field(staff_members, outsider):
    file = SimpleUploadedFile("brief.md", b"\xff\xfe\x00")
    page = logged_in(outsider).post(ADD, GOOD | {"brief_file": file})
    assert "not text" in page.context["form"].errors["brief_file"][0]
    assert not Project.objects.exists()


def test_workflows_are_drawn_and_an_unknown_one_is_refused(staff_members, outsider):
    client = logged_in(outsider)
    drawn = {picture.name: picture for picture in client.get(ADD).context["workflows"]}
    assert len(drawn["sdlc"].columns) > 3
    assert drawn["none"].columns == []
    page = client.post(ADD, GOOD | {"brief": "Ferry", "workflow": "waterfall"})
    assert page.context["form"].errors["workflow"]


def test_requirements_show_their_tests_and_what_failed_comes_first(running, owner, outsider):
    path = f"/admin/projects/project/{running.pk}/requirements/"
    assert logged_in(owner).get(path).context["specification"] is None
    specified(running, requirements=[REQUIREMENT, REQUIREMENT | {"id": "FR-2"}])
    verdicts = [{"test": "test_lend", "outcome": "failed"}]
    result = {"requirement": "FR-2", "status": "failed", "tests": ["test_lend"]}
    create_artifact(
        actor=Actor.of_user(owner),
        project_id=running.pk,
        artifact_type="test_results",
        title="Results",
        content=RESULTS | {"coverage": [result | {"verdicts": verdicts}]},
    )
    context = logged_in(owner).get(path).context
    assert [(row.id, row.verdict, row.tests) for row in context["rows"]] == [
        ("FR-2", "failed", ["test_lend: failed"]),
        ("FR-1", "", []),
    ]
    assert (context["passed"], context["failed"], context["untested"]) == (0, 1, 1)
    assert logged_in(outsider).get(path).status_code == 404


def test_the_log_is_verified_by_a_button_and_answered_in_words(running, viewer, outsider):
    path = f"/admin/projects/project/{running.pk}/verify/"
    page = logged_in(viewer).post(path)
    assert page.context["found"].valid
    assert "Everything that was checked holds." in page.content.decode()
    assert logged_in(viewer).get(path).status_code == 405
    assert logged_in(outsider).post(path).status_code == 404


def test_attempts_are_listed_with_what_they_cost(plan_request, running, viewer):
    context = logged_in(viewer).get(f"{LIST}{running.pk}/change/").context
    step = context["progress"]["steps"][0]
    assert [attempt.number for attempt in step["attempts"]] == [1]
    assert context["cost"].startswith("1 attempt")


def test_who_approves_at_once_after_opening_is_counted(plan_request, approver):
    client = logged_in(approver)
    client.get(f"/admin/hitl/hitlrequest/{plan_request.pk}/change/")
    assert Reading.objects.get().subject_digest == plan_request.subject_digest
    data = {"action": "approve", "subject_digest": plan_request.subject_digest}
    client.post(f"/admin/hitl/hitlrequest/{plan_request.pk}/decide/", data)
    decided_at = Decision.objects.get().created_at
    Reading.objects.update(shown_at=decided_at - timedelta(seconds=3))
    page = client.get("/admin/hitl/hitlrequest/statistics/")
    [row] = page.context["people"]
    assert (row["person"], row["kind"], row["decisions"]) == ("approver", "plan_approval", 1)
    assert (row["quick"], row["not_timed"]) == (1, 0)
    file = client.get("/admin/hitl/hitlrequest/statistics/?format=csv")
    assert file["Content-Type"].startswith("text/csv")
    assert file.content.decode().splitlines()[1] == "approver,plan_approval,1,1,1,0,3.0"


def test_what_was_opened_is_known_after_the_account_is_gone(plan_request, viewer):
    logged_in(viewer).get(f"/admin/hitl/hitlrequest/{plan_request.pk}/change/")
    viewer.delete()
    reading = Reading.objects.get()
    assert (reading.user, reading.request) == (None, plan_request)


def test_a_name_that_looks_like_a_formula_is_text_in_the_file(plan_request, approver):
    User.objects.filter(pk=approver.pk).update(username="+cmd")
    client = logged_in(approver)
    data = {"action": "approve", "subject_digest": plan_request.subject_digest}
    client.post(f"/admin/hitl/hitlrequest/{plan_request.pk}/decide/", data)
    file = client.get("/admin/hitl/hitlrequest/statistics/?format=csv")
    assert file.content.decode().splitlines()[1].startswith("'+cmd,")
