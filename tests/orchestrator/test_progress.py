import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.actors import Actor
from audit.models import Stream
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.progress import progress_of
from projects.services import cancel_project, pause_project
from tests.scenes import asked, running, side_task

pytestmark = pytest.mark.django_db


def progress(api, project):
    return api.get(f"/api/v1/projects/{project.pk}/progress/").json()


def approve(request, user):
    decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action="approve",
        subject_digest=request.subject_digest,
        channel="test",
    )
    advance_project(request.project_id)


def test_a_draft_shows_its_steps_and_waits_for_its_start(project, viewer, client_of):
    shown = progress(client_of(viewer), project)

    assert (shown["status"], shown["completed_steps"], shown["percent"]) == ("draft", 0, 0)
    assert shown["total_steps"] == len(shown["steps"]) == 8
    assert {step["status"] for step in shown["steps"]} == {"pending"}
    assert {step["task"] for step in shown["steps"]} == {None}
    assert [(w["what"], w["who"]) for w in shown["waiting_for"]] == [("start", "person")]


def test_a_running_project_waits_for_the_agent_whose_turn_it_is(project, viewer, client_of):
    shown = progress(client_of(viewer), running(project))

    first, second = shown["steps"][:2]
    assert (first["step"], first["agent_type"], first["phase"]) == (
        "orchestrate",
        "orchestrator",
        "discovery",
    )
    assert (first["status"], first["attempt"], first["round"]) == ("pending", 0, 1)
    assert (second["needs"], second["task"]) == (["orchestrate"], None)
    assert [(w["step"], w["what"], w["who"], w["task"]) for w in shown["waiting_for"]] == [
        ("orchestrate", "agent_work", "agent", first["task"])
    ]


def test_a_request_is_named_where_it_is_waited_for(project, viewer, client_of):
    request = asked(project)

    shown = progress(client_of(viewer), project)

    assert shown["steps"][0]["status"] == "waiting_for_hitl"
    assert shown["steps"][0]["hitl_request"] == str(request.pk)
    assert shown["waiting_for"] == [
        {
            "step": "orchestrate",
            "what": "plan_approval",
            "who": "person",
            "task": str(request.task_id),
            "hitl_request": str(request.pk),
            "no_worker_since": None,
            "last_failure": None,
            "next_attempt_at": None,
        }
    ]


def test_an_approved_step_counts(project, approver, client_of):
    approve(asked(project), approver)

    shown = progress(client_of(approver), project)

    assert (shown["completed_steps"], shown["percent"]) == (1, 12)
    assert [w["step"] for w in shown["waiting_for"]] == ["project_plan"]


def test_a_paused_project_waits_to_be_resumed(project, owner, client_of):
    running(project)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert progress(client_of(owner), project)["waiting_for"][0]["what"] == "resume"


def test_a_cancelled_project_waits_for_nothing(project, owner, client_of):
    running(project)
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))

    assert progress(client_of(owner), project)["waiting_for"] == []


def test_work_outside_of_the_workflow_is_waited_for_too(project, owner, client_of):
    request = asked(project, "result_approval")

    waits = progress(client_of(owner), project)["waiting_for"]

    assert {(w["step"], w["what"], w["hitl_request"]) for w in waits} == {
        ("", "start", None),
        ("", "result_approval", str(request.pk)),
    }


def test_progress_takes_as_many_queries_with_more_work(project, owner):
    asked(project)
    with CaptureQueriesContext(connection) as before:
        progress_of(project)
    for _ in range(4):
        side_task(project)

    with CaptureQueriesContext(connection) as after:
        progress_of(project)

    assert len(after) == len(before)


def test_a_snapshot_is_the_state_as_of_the_last_event(project, viewer, client_of):
    request = asked(project)

    shown = client_of(viewer).get(f"/api/v1/projects/{project.pk}/snapshot/").json()

    head = Stream.objects.get(project=project.pk)
    assert (shown["epoch"], shown["sequence"]) == (head.epoch, head.sequence)
    assert shown["state"]["project"]["id"] == str(project.pk)
    assert shown["state"]["progress"]["steps"][0]["status"] == "waiting_for_hitl"
    assert len(shown["state"]["agents"]) == 6
    assert [one["id"] for one in shown["state"]["requests"]] == [str(request.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_snapshot_is_of_one_moment(project, viewer, client_of):
    running(project)

    with CaptureQueriesContext(connection) as queries:
        client_of(viewer).get(f"/api/v1/projects/{project.pk}/snapshot/")

    statements = [query["sql"] or "" for query in queries]
    reads = [s for s in statements if "event_streams" in s or "agent_status" in s]
    begin = statements.index("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    assert len(reads) >= 2
    assert all(statements.index(read) > begin for read in reads)
