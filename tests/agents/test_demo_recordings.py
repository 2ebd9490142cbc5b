"""For the unchanged example briefs a recording plays, whose tests really run."""

import json
import re

import pytest

from agents.providers.demo import DemoModel
from agents.providers.demo.case import Case
from agents.providers.demo.recording import recording_of, sha256_of
from agents.role import role_for
from agents.roles.tester import results_of, verdict_of
from context.artifact_types import artifact_types
from tests.agents.demo_cases import EXAMPLES, assignment, content, handed, material, pipeline

BRIEFS = {path.stem: path.read_text(encoding="utf-8") for path in EXAMPLES}


@pytest.fixture(scope="module", params=BRIEFS)
def recorded(request):
    brief = BRIEFS[request.param]
    made = pipeline(brief)
    specification = made["software_specification"].content
    texts = {item["id"]: item["statement"] for item in specification["requirements"]}
    return brief, made, results_of(made["source_code"], texts)


def recorded_for(brief):
    recording = recording_of(Case(assignment("build", brief=brief)))
    return recording and recording.folder.name


def test_every_example_has_a_recording_for_exactly_its_words():
    for name, brief in BRIEFS.items():
        assert recorded_for(brief) == name
        assert recorded_for(brief.replace("\n", "\r\n").strip()) == name
        assert recorded_for(brief + "More.") is None
    assert len({sha256_of(brief) for brief in BRIEFS.values()}) == len(BRIEFS)


def test_everything_is_labelled_as_recorded(recorded):
    brief, made, _ = recorded
    for artifact_type, output in made.items():
        assert artifact_types[artifact_type].schema.model_validate(output.content)
        assert "Recorded answer of the demo model" in json.dumps(output.content)
        if artifact_type != "agent_output":
            assert "(demo, recorded)" in output.title
    asked = assignment("build", brief=brief, materials=tuple(made.values()))
    assert role_for("coder").run(asked, DemoModel()).usage.model.startswith("recorded")


def test_the_tests_run_and_each_speaks_for_the_requirement_that_it_names(recorded):
    _, made, results = recorded
    code = made["source_code"].content
    assert results["passed"] is True
    assert verdict_of(code, results) == "pass"
    for item in results["coverage"]:
        prefix = "test_" + item["requirement"].lower().replace("-", "_") + "_"
        assert all(name.startswith(prefix) for name in item["tests"])
        assert (item["status"] == "passed") == bool(item["tests"])


def test_what_is_left_out_is_listed_and_not_tested(recorded):
    _, made, results = recorded
    left_out = [item for item in results["coverage"] if item["status"] == "not_covered"]
    assert [item["requirement"] for item in left_out] == ["FR-18"]
    assert left_out[0]["reason"].startswith("Left out:")
    for artifact_type in ("software_specification", "system_architecture", "source_code"):
        assert [i["requirement"] for i in made[artifact_type].content["not_covered"]] == ["FR-18"]


def test_every_sentence_of_the_brief_is_quoted_or_named_as_no_requirement(recorded):
    brief, made, _ = recorded
    specification = made["software_specification"].content
    quotes = [span["quote"] for item in specification["requirements"] for span in item["spans"]]
    words = " ".join([*quotes, *specification["assumptions"], specification["title"]])
    sentences = [line for line in brief.splitlines() if not line.startswith("#")]
    assert set(re.findall(r"\w{3,}", " ".join(sentences))) <= set(re.findall(r"\w{3,}", words))


def test_plan_and_design_speak_of_requirements_and_files_that_there_are(recorded):
    _, made, _ = recorded
    ids = {item["id"] for item in made["software_specification"].content["requirements"]}
    files = {file["path"] for file in made["source_code"].content["files"]}
    served = {
        key for c in made["system_architecture"].content["components"] for key in c["requirements"]
    }
    items = made["implementation_plan"].content["items"]
    assert served == {key for item in items for key in item["requirements"]} == ids - {"FR-18"}
    assert {path for item in items for path in item["files"]} == files


@pytest.mark.parametrize("recorded", ["parcel-prices"], indirect=True)
def test_a_recording_says_that_it_cannot_follow_a_comment_or_an_amendment(recorded):
    brief, made, _ = recorded
    amended = made["software_specification"].content
    extra = amended["requirements"][0] | {"id": "FR-99", "spans": []}
    amended = amended | {"requirements": [*amended["requirements"], extra]}
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    code = content("build", brief=brief, materials=(spec,), feedback=("Use colours.",))
    assert "A recording cannot follow that." in code["summary"]
    assert code["feedback"][0]["comment"] == "Use colours."
    assert "recording" in code["feedback"][0]["response"]
    results = results_of(handed("source_code", code), {"FR-1": "", "FR-99": ""})
    assert results["coverage"][1]["status"] == "not_covered"


def test_no_recorded_test_speaks_for_a_requirement_that_a_person_changed(recorded):
    brief, made, _ = recorded
    amended = made["software_specification"].content
    first, *others = amended["requirements"]
    amended = amended | {"requirements": [first | {"statement": "Quite another thing."}, *others]}
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    code = content("build", brief=brief, materials=(spec,))
    assert first["id"] not in [item["requirement"] for item in code["covered"]]
    assert first["id"] in [item["requirement"] for item in code["not_covered"]]


def test_no_recording_plays_on_a_specification_of_another_model(recorded):
    brief, made, _ = recorded
    theirs = made["software_specification"].content | {"title": "Theirs"}
    code = content("build", brief=brief, materials=(handed("software_specification", theirs),))
    assert code["covered"] == []
    assert {item["requirement"] for item in code["not_covered"]} == {
        item["id"] for item in theirs["requirements"]
    }


def test_the_release_notes_name_what_tests_have_tried_and_nothing_else(recorded):
    brief, made, results = recorded
    handed_over = (*made.values(), handed("test_results", results))
    expected = ("deployment_package", "deployment_log")
    asked = assignment("build", brief=brief, materials=handed_over, expected=expected)
    outputs = [material(one) for one in role_for("deployer").run(asked, DemoModel()).outputs]
    tried, left_out = outputs[1].content["release_notes"].split("## What is not")
    assert "- FR-1:" in tried
    assert "- FR-18:" in left_out
    assert "FR-18" not in tried
