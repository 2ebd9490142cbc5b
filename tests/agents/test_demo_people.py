"""What people say on the way is quoted; nothing is claimed of it, and their own words stay."""

import pytest

from agents.protocols import Answer, NeedsPerson
from agents.providers.demo import DemoModel
from agents.role import role_for
from agents.roles.tester import results_of
from tests.agents.demo_cases import STEPS, assignment, content, handed, pipeline, work

BRIEF = """# Tool shed
Each tool has a name and a condition. Neighbours can borrow a tool.

## Not now
- A web page."""


@pytest.mark.parametrize("step", [step for step, _, _ in STEPS])
def test_a_comment_is_quoted_where_it_was_made_and_said_to_be_not_honoured(step):
    before = tuple(pipeline(BRIEF).values())
    made = content(step, brief=BRIEF, materials=before, feedback=("Make it more joyful!",))
    assert [(note["comment"], note["honoured"]) for note in made["feedback"]] == [
        ("Make it more joyful!", False)
    ]


def test_comments_of_earlier_rounds_are_quoted_again():
    first = handed("project_plan", content("project_plan", brief=BRIEF, feedback=("Shorter.",)))
    again = content("project_plan", brief=BRIEF, materials=(first,), feedback=("Kinder.",), round=3)
    assert [note["comment"] for note in again["feedback"]] == ["Shorter.", "Kinder."]


def test_a_very_short_brief_becomes_a_question_once():
    outcome = work("orchestrate", brief="做一个程序")
    assert isinstance(outcome, NeedsPerson)
    answer = Answer(outcome.questions, "图书馆要借书程序。", "ada")
    made = pipeline("做一个程序", answers=(answer,))
    requirements = made["software_specification"].content["requirements"]
    assert [item["statement"] for item in requirements] == ["做一个程序", "图书馆要借书程序。"]
    assert requirements[1]["spans"][0]["source"] == "answer"


def test_a_brief_without_a_word_asks_before_anything_is_written():
    assert isinstance(work("specification", brief="--- ***"), NeedsPerson)


def test_later_steps_build_on_the_specification_that_a_person_amended():
    amended = pipeline(BRIEF)["software_specification"].content
    amended["requirements"] = [amended["requirements"][1] | {"id": "FR-7", "statement": "Mine."}]
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    plan = content("implementation_plan", brief=BRIEF, materials=(spec,))
    code = content("build", brief=BRIEF, materials=(spec,))
    assert [item["requirements"] for item in plan["items"]] == [[], ["FR-7"]]
    assert [item["requirement"] for item in code["not_covered"]] == ["FR-7"]
    assert any("test_fr_7" in file["content"] for file in code["files"])
    assert results_of(handed("source_code", code), {"FR-7": ""})["counts"]["skipped"] == 1


def test_code_that_a_person_changed_is_left_as_it_is():
    made = pipeline(BRIEF)
    amended = made["source_code"].content
    amended["files"][0]["content"] += "# by hand\n"
    code = handed("source_code", amended, version=2, changed_by_person=True)
    again = content("build", brief=BRIEF, materials=(*made.values(), code), feedback=("Shorter.",))
    assert again["files"] == amended["files"]
    assert again["feedback"][0]["honoured"] is False


def test_a_free_instruction_is_quoted_and_not_followed():
    asked = assignment(
        "build", brief=BRIEF, instructions="Say <b>hello</b>.", expected=("agent_output",)
    )
    made = role_for("coder").run(asked, DemoModel()).outputs[0].content
    assert "&lt;b>hello" in made["body"]
    assert "cannot follow" in made["body"]


def test_every_statement_of_plan_and_design_points_at_requirements():
    made = pipeline(BRIEF)
    ids = [item["id"] for item in made["software_specification"].content["requirements"]]
    assert ids == ["REQ-1", "REQ-2", "REQ-3"]
    for artifact_type in ("system_architecture", "implementation_plan"):
        parts = made[artifact_type].content
        parts = parts.get("components") or parts["items"]
        assert [key for part in parts for key in part["requirements"]] == ids
    plan = made["project_plan"].content
    said = [plan["goals"][0]["statement"], *(one["outcome"] for one in plan["milestones"])]
    assert all("REQ-1 to REQ-3" in text for text in said)
    assert "“Not now”: REQ-3." in plan["assumptions"]
