import pytest

from audit.actors import Actor
from context.models import Artifact
from context.services import add_version
from context.staleness import staleness_of
from orchestrator.engine.rewind import rewind_project
from tests.context.documents import hand_in
from tests.scenes import CONTENT, advance, decide_as, do, request_at, started, text

pytestmark = pytest.mark.django_db

ARTIFACTS = "/api/v1/artifacts/"


@pytest.fixture
def done(make_project):
    """left and right are done, then join, which used both, and check."""
    project = make_project(oversight_level="low")
    hand_in(project)
    started(project)
    for step in ("left", "right", "join"):
        do(project, step)
    do(project, "check", text("Yes.", verdict="pass"))
    return project


def edit_brief(project, owner, body="Another brief."):
    brief = Artifact.objects.get(project=project, artifact_type="user_input")
    add_version(actor=Actor.of_user(owner), artifact_id=brief.pk, content={"text": body})
    return brief


def stale_steps(project):
    artifacts = Artifact.objects.filter(project=project)
    steps = dict(artifacts.values_list("pk", "step"))
    return {steps[pk]: staleness.refresh_step for pk, staleness in staleness_of(steps).items()}


def test_nothing_is_stale_while_nothing_has_changed(done):
    assert stale_steps(done) == {}


def test_all_that_follows_from_a_changed_brief_is_stale_and_nothing_else(done, owner):
    edit_brief(done, owner)

    assert stale_steps(done) == {"left": "left", "join": "left", "check": "left"}


def test_the_api_says_what_is_stale_why_and_what_would_refresh_it(done, owner, client_of):
    brief = edit_brief(done, owner)
    api = client_of(owner)

    artifact = api.get(f"{ARTIFACTS}{Artifact.objects.get(step='join').pk}/").json()

    assert (artifact["stale"], artifact["refresh_step"]) == (True, "left")
    assert artifact["stale_because"] == [
        {"artifact": str(brief.pk), "title": brief.title, "used": 1, "accepted": 2}
    ]
    listed = api.get(ARTIFACTS, {"project": done.pk, "stale": "true"}).json()["results"]
    assert {row["step"] for row in listed} == {"left", "join", "check"}
    fresh = api.get(ARTIFACTS, {"project": done.pk, "stale": "false"}).json()["results"]
    assert {row["step"] for row in fresh} == {"", "right"}


def test_to_ask_for_what_is_stale_needs_a_project(done, owner, client_of):
    response = client_of(owner).get(ARTIFACTS, {"stale": "true"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "project"


def test_the_progress_of_a_project_shows_stale_steps(done, owner, client_of):
    edit_brief(done, owner)

    steps = client_of(owner).get(f"/api/v1/projects/{done.pk}/progress/").json()["steps"]

    assert {s["step"]: s["stale"] for s in steps} == {
        "left": True,
        "right": False,
        "join": True,
        "check": True,
    }


def test_a_rewind_to_the_named_step_makes_it_fresh_again(done, owner):
    edit_brief(done, owner)
    [step] = set(stale_steps(done).values())

    rewind_project(project_id=done.pk, step=step, actor=Actor.of_user(owner))
    advance(done)
    do(done, "left")
    half_way = stale_steps(done)
    do(done, "join")
    do(done, "check", text("Yes.", verdict="pass"))

    assert half_way == {"join": "join", "check": "join"}
    assert stale_steps(done) == {}


def test_a_draft_upstream_makes_nothing_stale(done, owner):
    source = Artifact.objects.get(step="left")

    add_version(actor=Actor.of_user(owner), artifact_id=source.pk, content=CONTENT)

    assert stale_steps(done) == {}


def test_what_a_loop_revises_is_no_reason(make_project):
    project = make_project(oversight_level="low")
    hand_in(project)
    started(project)
    for step in ("left", "right", "join"):
        do(project, step)

    do(project, "check", text("No.", verdict="fail"))
    do(project, "join")
    do(project, "check", text("Yes.", verdict="pass"))

    assert stale_steps(project) == {}


def test_an_amended_result_is_stale_with_what_it_was_written_from(project, owner, approver):
    hand_in(project)
    started(project)
    do(project, "left")
    decide_as(
        approver, request_at(project, "left"), "amend", content=CONTENT | {"body": "By hand."}
    )

    edit_brief(project, owner)

    assert stale_steps(project) == {"left": "left"}
