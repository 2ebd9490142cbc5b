import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Task
from agents.services import claim_task
from audit.actors import Actor
from context.models import Artifact
from orchestrator.engine.advance import advance_project
from projects.services import cancel_project
from tests.scenes import asked, running, side_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

TASKS = "/api/v1/tasks/"


def wanted(project, **changes):
    return {
        "project": str(project.pk),
        "agent_type": "analyst",
        "instructions": "Compare two catalogues.",
    } | changes


def test_a_single_piece_of_work_is_created_and_waits_for_a_worker(project, owner, client_of):
    response = client_of(owner).post(TASKS, wanted(project))

    shown = response.json()
    assert response.status_code == 201
    assert (shown["status"], shown["step"], shown["attempt"]) == ("pending", "", 0)
    assert shown["attempts"] == []
    assert response["Location"] == f"{TASKS}{shown['id']}/"


def test_the_named_artifacts_are_handed_over(project, owner, client_of):
    running(project)
    brief = Artifact.objects.get(project=project)

    shown = client_of(owner).post(TASKS, wanted(project, context_ids=[str(brief.pk)])).json()

    assert shown["handoff"]["materials"][0]["artifact"] == str(brief.pk)
    assert shown["handoff"]["materials"][0]["version"] == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "x"),
        ("project", None),
        ("agent_type", "writer"),
        ("instructions", ""),
        ("instructions", "  "),
        ("instructions", "x" * 20_001),
        ("instructions", 7),
        ("context_ids", "x"),
        ("context_ids", ["x"]),
        ("context_ids", {}),
        ("context_ids", ["01890000-0000-7000-8000-000000000000"]),
        ("gate", ""),
    ],
)
def test_bad_input_names_the_field(project, owner, client_of, field, value):
    response = client_of(owner).post(TASKS, wanted(project) | {field: value})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"].split(".")[0] == field
    assert not Task.objects.exists()


def test_an_artifact_of_another_project_is_unknown_here(make_project, owner, client_of):
    here, there = make_project(), running(make_project())
    theirs = Artifact.objects.get(project=there)

    response = client_of(owner).post(TASKS, wanted(here, context_ids=[str(theirs.pk)]))

    assert response.json()["errors"][0]["code"] == "does_not_exist"


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("approver", 403), ("outsider", 404)])
def test_only_owners_ask_for_work(project, viewer, approver, outsider, client_of, who, status):
    user = {"viewer": viewer, "approver": approver, "outsider": outsider}[who]

    assert client_of(user).post(TASKS, wanted(project)).status_code == status
    assert not Task.objects.exists()


def test_a_finished_project_takes_no_work(project, owner, client_of):
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))

    response = client_of(owner).post(TASKS, wanted(project))

    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


def test_a_task_is_cancelled_and_retried(project, owner, client_of):
    api, task = client_of(owner), side_task(project)

    cancelled = api.post(f"{TASKS}{task.pk}/cancel/")
    retried = api.post(f"{TASKS}{task.pk}/retry/")

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (retried.status_code, retried.json()["status"]) == (200, "pending")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_verb_twice_is_a_wrong_state(project, owner, client_of, verb):
    api, task = client_of(owner), side_task(project)
    api.post(f"{TASKS}{task.pk}/cancel/")
    if verb == "retry":
        api.post(f"{TASKS}{task.pk}/retry/")

    response = api.post(f"{TASKS}{task.pk}/{verb}/")

    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
@pytest.mark.parametrize("who", ["viewer", "approver"])
def test_only_owners_cancel_and_retry(project, viewer, approver, client_of, verb, who):
    user = {"viewer": viewer, "approver": approver}[who]
    task = side_task(project)

    assert client_of(user).post(f"{TASKS}{task.pk}/{verb}/").status_code == 403


def test_cancelling_what_a_person_is_asked_about_closes_the_request(project, owner, client_of):
    request = asked(project, "result_approval")

    client_of(owner).post(f"{TASKS}{request.task_id}/cancel/")

    request.refresh_from_db()
    assert request.status == "cancelled"


def test_attempts_are_shown(project, viewer, client_of):
    request = asked(project)

    shown = client_of(viewer).get(f"{TASKS}{request.task_id}/").json()

    assert shown["attempt"] == 1
    assert [(a["number"], a["outcome"]) for a in shown["attempts"]] == [(1, "completed")]
    assert shown["attempts"][0]["provider"] == "demo"


def test_the_list_takes_as_many_queries_for_many_as_for_one(project, owner, client_of):
    api = client_of(owner)
    side_task(project)
    with CaptureQueriesContext(connection) as for_one:
        api.get(TASKS)
    for _ in range(4):
        side_task(project)

    with CaptureQueriesContext(connection) as for_five:
        assert api.get(TASKS).json()["count"] == 5

    assert len(for_five) == len(for_one)


def test_the_board_shows_who_is_at_work(project, viewer, client_of):
    task = side_task(project)
    claim_task(task_id=task.pk, worker="test:1:1")

    agents = client_of(viewer).get("/api/v1/agents/", {"project": project.pk}).json()["results"]

    board = {agent["agent_type"]: agent for agent in agents}
    assert len(board) == 6
    assert (board["analyst"]["status"], board["analyst"]["task"]) == ("working", str(task.pk))
    assert (board["coder"]["status"], board["coder"]["task"]) == ("idle", None)


def test_the_history_of_an_agent_is_newest_first(project, viewer, client_of):
    asked(project, "result_approval")
    advance_project(project.pk)

    response = client_of(viewer).get("/api/v1/agents/analyst/history/", {"project": project.pk})

    changes = [(one["old"], one["new"]) for one in response.json()["results"]]
    assert changes == [("working", "waiting_for_hitl"), ("idle", "working")]


@pytest.mark.parametrize("agent_type", ["writer", "CODER", "0"])
def test_an_unknown_agent_type_has_no_history(project, viewer, client_of, agent_type):
    response = client_of(viewer).get(
        f"/api/v1/agents/{agent_type}/history/", {"project": project.pk}
    )

    assert response.status_code == 404
