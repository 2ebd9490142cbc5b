import pytest

from agents.context_assembly import assignment_of
from agents.protocols import NeedsPerson
from audit.actors import Actor
from context.models import Artifact
from context.services import add_version
from orchestrator.engine.rewind import rewind_project
from tests.scenes import (
    CONTENT,
    USAGE,
    advance,
    current,
    decide_as,
    do,
    handed,
    questions,
    request_at,
    running,
    started,
    text,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]

OWN = CONTENT | {"body": "By hand."}


@pytest.fixture
def unattended(make_project):
    return make_project(oversight_level="low")


def test_a_handoff_says_what_from_whom_and_what_is_expected(unattended):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")

    handoff = current(unattended, "join").handoff

    assert handed(current(unattended, "join")) == [("left", 1), ("right", 1)]
    assert [one["from_agent"] for one in handoff["materials"]] == ["architect", "analyst"]
    assert handoff["expected_outputs"] == ["agent_output"]
    assert handoff["instructions"] == "Join both."
    assert handoff["agent_type"] == "coder"


def test_the_brief_is_handed_to_those_who_require_it(unattended):
    running(unattended)

    materials = current(unattended, "orchestrate").handoff["materials"]

    assert [one["artifact_type"] for one in materials] == ["user_input"]


def test_the_first_agent_sees_the_outline_of_the_workflow(unattended):
    running(unattended)

    outline = current(unattended, "orchestrate").handoff["workflow"]

    assert outline["name"] == "sdlc"
    assert [step["id"] for step in outline["steps"]][:2] == ["orchestrate", "project_plan"]
    assert "instructions" not in outline["steps"][0]


def test_an_amendment_is_what_later_steps_get(project, owner, approver):
    started(project)
    do(project, "left")
    do(project, "right")
    decide_as(approver, request_at(project, "left"), "approve")

    decide_as(approver, request_at(project, "right"), "amend", content=OWN)
    decide_as(owner, request_at(project, "right"), "approve")

    join = current(project, "join")
    assert handed(join) == [("left", 1), ("right", 2)]
    material = assignment_of(join).materials[1]
    assert (material.content["body"], material.changed_by_person) == ("By hand.", True)


def test_a_version_that_nobody_accepted_is_not_handed_on(project, owner, approver):
    started(project)
    do(project, "left")
    do(project, "right")
    for step in ("left", "right"):
        decide_as(approver, request_at(project, step), "approve")
    left = Artifact.objects.get(step="left")

    add_version(actor=Actor.of_user(owner), artifact_id=left.pk, content=OWN)
    do(project, "join")

    assert Artifact.objects.get(step="left").version == 2
    assert handed(current(project, "check"))[0] == ("left", 1)


def test_a_handoff_is_not_changed_by_what_comes_later(unattended, owner):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    before = current(unattended, "join").handoff
    left = Artifact.objects.get(step="left")

    add_version(actor=Actor.of_user(owner), artifact_id=left.pk, content=OWN)
    advance(unattended)

    join = current(unattended, "join")
    assert join.handoff == before
    assert assignment_of(join).materials[0].content["body"] == "left 1"


def test_the_next_round_gets_what_is_to_be_revised(unattended):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    do(unattended, "join")
    do(unattended, "check", text("No.", verdict="fail"))

    revised = [one for one in current(unattended, "join").handoff["materials"] if "revises" in one]

    assert {one["from_step"] for one in revised} == {"join", "check"}


def test_requested_changes_reach_the_agent_as_a_comment(project, approver):
    started(project)
    do(project, "right")
    first = request_at(project, "right")

    decide_as(approver, first, "request_changes", comment="Shorter.")
    do(project, "right")

    task = current(project, "right")
    assert (task.round, assignment_of(task).feedback) == (2, ("Shorter.",))
    assert request_at(project, "right").previous_id == first.pk
    assert Artifact.objects.get(step="right").version == 2


def test_comments_add_up_over_the_rounds(project, approver):
    started(project)
    for comment in ("Shorter.", "Even shorter."):
        do(project, "right")
        decide_as(approver, request_at(project, "right"), "request_changes", comment=comment)

    assert assignment_of(current(project, "right")).feedback == ("Shorter.", "Even shorter.")


def answered(project, person):
    started(project)
    do(project, "left", NeedsPerson(("Who lends?",), USAGE))
    decide_as(person, request_at(project, "left"), "answer", content="Members do.")
    do(project, "left")
    do(project, "right")


def test_an_answer_flows_to_later_steps(unattended, approver):
    answered(unattended, approver)

    answers = assignment_of(current(unattended, "join")).answers

    assert [(one.questions, one.answer) for one in answers] == [(("Who lends?",), "Members do.")]
    assert current(unattended, "right").answers == []


def test_an_answer_stays_over_the_rounds_of_a_loop(unattended, approver):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    do(unattended, "join", questions())
    decide_as(approver, request_at(unattended, "join"), "answer", content="For two weeks.")
    do(unattended, "join")
    do(unattended, "check", text("No.", verdict="fail"))

    assert [one["answer"] for one in current(unattended, "join").answers] == ["For two weeks."]


def test_an_answer_stays_when_changes_are_requested(project, approver):
    started(project)
    do(project, "left", questions())
    decide_as(approver, request_at(project, "left"), "answer", content="Members do.")
    do(project, "left")

    decide_as(approver, request_at(project, "left"), "request_changes", comment="Shorter.")

    assert [one["answer"] for one in current(project, "left").answers] == ["Members do."]


def test_who_rewinds_by_hand_is_asked_anew(unattended, owner, approver):
    answered(unattended, approver)

    rewind_project(project_id=unattended.pk, step="left", actor=Actor.of_user(owner))
    advance(unattended)
    do(unattended, "left")

    assert current(unattended, "left").answers == []
    assert current(unattended, "join").answers == []
