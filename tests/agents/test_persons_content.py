"""What a person wrote in place of an agent's text is not restored by a later round."""

import pytest

from agents.context_assembly import assignment_of
from agents.protocols import Assignment
from agents.providers.prompts import prompt_for
from agents.worker.run import run
from audit.actors import Actor
from context.models import Artifact
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from orchestrator.engine.rewind import rewind_project
from tests.agents.demo_cases import STEPS, content, handed, pipeline
from tests.scenes import (
    OWN,
    asked,
    decide_as,
    finish,
    fresh,
    pending_request,
    pending_task,
    upload,
    work,
)

pytestmark = pytest.mark.django_db

BRIEF = """# Tool shed
Each tool has a name and a condition. Neighbours can borrow a tool and return a tool.
A neighbour may borrow at most four tools. Add and remove tools."""
WORDS = {
    "agent_output": ("summary", "body"),
    "project_plan": ("summary", "audience", "goals"),
    "software_specification": ("summary", "assumptions", "requirements"),
    "system_architecture": ("overview", "components", "data_model"),
    "implementation_plan": ("approach", "items"),
    "source_code": ("summary", "files"),
}
MARKS = {
    "agent_output": "body",
    "project_plan": "summary",
    "software_specification": "summary",
    "system_architecture": "overview",
    "implementation_plan": "approach",
    "source_code": "summary",
}


@pytest.fixture(scope="module")
def made():
    return pipeline(BRIEF)


@pytest.mark.parametrize(("step", "artifact_type"), [(s, made[0]) for s, _, made in STEPS])
def test_the_demo_model_leaves_a_persons_content_alone(made, step, artifact_type):
    own = made[artifact_type].content | {MARKS[artifact_type]: "In a person's own words."}
    handed_over = [one for one in made.values() if one.artifact_type != artifact_type]
    mine = handed(artifact_type, own, version=2, changed_by_person=True)

    again = content(step, brief=BRIEF, materials=(*handed_over, mine), round=2)

    kept = {name: again[name] for name in WORDS[artifact_type]}
    assert kept == {name: own[name] for name in WORDS[artifact_type]}


def test_a_model_is_told_not_to_restore_it():
    mine = handed("project_plan", {"summary": "Mine."}, version=2, changed_by_person=True)
    theirs = handed("project_plan", {"summary": "Theirs."})
    asked_for = {"brief": BRIEF, "expected": ("project_plan",), "project_name": "P"}
    known = {"agent_type": "analyst", "step": "", "phase": "", "round": 2, "instructions": ""}

    told = [
        prompt_for(Assignment(**asked_for, **known, materials=(one,)), "project_plan")
        for one in (mine, theirs)
    ]

    assert ["do not restore" in text for text in told] == [True, False]


def rewind(project, owner):
    rewind_project(project_id=project.pk, step="orchestrate", actor=Actor.of_user(owner))
    advance_project(project.pk)
    return pending_task(project)


def handed_back(task):
    return next(one for one in assignment_of(task).materials if one.revises)


def test_an_amendment_outlives_two_rewinds_with_the_demo_model(project, owner, approver):
    decide_as(approver, asked(project), "amend")
    decide_as(owner, pending_request(project))
    artifact = Artifact.objects.get(step="orchestrate")

    for _ in range(2):
        run(task_id=rewind(fresh(project), owner).pk, worker="test:1:1")
        advance_project(project.pk)

    shown = artifact.versions.order_by("number").last()
    assert (shown.number, shown.is_by_person) == (4, False)
    assert {name: shown.content[name] for name in OWN} == OWN
    assert artifact.versions.get(number=2).status == "accepted"


def test_the_agent_hears_of_it_in_every_later_round(project, owner, approver):
    decide_as(approver, asked(project), "amend")
    finish(rewind(fresh(project), owner), work(body="By an agent, on top of it."))

    material = handed_back(rewind(fresh(project), owner))

    assert (material.version, material.changed_by_person) == (3, True)


def test_what_another_person_turned_down_is_no_truth(project, owner, approver):
    asked(project)
    upload(owner, project)
    decide_as(approver, pending_request(project), "request_changes")
    advance_project(project.pk)

    material = handed_back(pending_task(project))

    assert (material.version, material.changed_by_person) == (2, False)


def test_an_edit_is_shown_with_its_difference_to_the_next_who_decides(
    project, owner, approver, client_of
):
    decide_as(approver, asked(project), "amend")
    newer = finish(rewind(fresh(project), owner), work(**OWN | {"body": "By hand, and more."}))

    shown = client_of(owner).get(f"/api/v1/hitl/requests/{newer.pk}/").json()

    assert (shown["diff"]["from"], shown["diff"]["to"]) == (2, 3)
    assert HitlRequest.objects.get(pk=newer.pk).barred_authors == [approver.pk]
