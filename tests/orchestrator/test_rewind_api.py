import pytest

from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from hitl.models import HitlRequest
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from projects.services import cancel_project
from tests.scenes import asked, running

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def rewind(api, project, **body):
    return api.post(f"/api/v1/projects/{project.pk}/rewind/", body)


def test_a_step_runs_again_and_what_is_dropped_stays(project, owner, client_of):
    request = asked(project)

    response = rewind(client_of(owner), project, step="orchestrate", comment="Think again.")
    advance_project(project.pk)

    rounds = Task.objects.filter(project=project, step="orchestrate").order_by("round")
    assert (response.status_code, response.json()["status"]) == (200, "active")
    assert [(t.round, t.is_current, t.status) for t in rounds] == [
        (1, False, "cancelled"),
        (2, True, "pending"),
    ]
    assert rounds[1].handoff["feedback"][0]["comment"] == "Think again."
    assert HitlRequest.objects.get(pk=request.pk).status == "cancelled"
    assert Event.objects.filter(project=project.pk, event_type="project_rewound").count() == 1


def test_a_failed_project_goes_on_by_a_rewind(project, owner, client_of):
    request = asked(project)
    decide(
        request_id=request.pk,
        actor=Actor.of_user(owner),
        action="reject",
        subject_digest=request.subject_digest,
        comment="No.",
        channel="test",
    )
    advance_project(project.pk)

    response = rewind(client_of(owner), project, step="orchestrate")
    advance_project(project.pk)

    assert (response.json()["status"], response.json()["finished_at"]) == ("active", None)
    assert Task.objects.get(project=project, is_current=True).status == "pending"


def test_a_rewind_twice_drops_what_the_first_one_started(project, owner, client_of):
    api = client_of(owner)
    running(project)

    for _ in range(2):
        assert rewind(api, project, step="orchestrate").status_code == 200
        advance_project(project.pk)

    assert Task.objects.get(project=project, is_current=True).round == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"step": "none"}, "step"),
        ({}, "step"),
        ({"step": ""}, "step"),
        ({"step": 1}, "step"),
        ({"step": "build", "to": "x"}, "to"),
    ],
)
def test_an_unknown_step_is_named(project, owner, client_of, body, field):
    running(project)

    response = rewind(client_of(owner), project, **body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


def test_a_step_that_has_not_begun_is_no_way_back(project, owner, client_of):
    running(project)

    response = rewind(client_of(owner), project, step="launch")

    assert (response.status_code, response.json()["code"]) == (409, "invalid_transition")


def test_a_draft_and_a_cancelled_project_have_no_way_back(project, owner, client_of):
    api = client_of(owner)

    assert rewind(api, project, step="orchestrate").status_code == 409
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))
    assert rewind(api, project, step="orchestrate").status_code == 409


@pytest.mark.parametrize("who", ["viewer", "approver"])
def test_only_owners_rewind(project, viewer, approver, client_of, who):
    running(project)

    response = rewind(
        client_of({"viewer": viewer, "approver": approver}[who]), project, step="orchestrate"
    )

    assert (response.status_code, response.json()["code"]) == (403, "role_too_low")
