"""What people say on the way counts: comments, amended contents, results of the round before."""

from agents.protocols import NeedsPerson
from agents.roles.tester import results_of
from tests.agents.offline_cases import content, handed, pipeline, run_tests, work, write

BRIEF = """# Tool shed
Each tool has a name and a condition. Neighbours can borrow a tool and return a tool.
A neighbour may borrow at most four tools. Tools must be back after one week. List overdue tools.
Add and remove tools. Register neighbours."""


def _requirement(contents, words):
    items = contents["software_specification"].content["requirements"]
    return next(item for item in items if words in item["statement"])


def test_a_comment_on_the_specification_becomes_a_requirement():
    wish = "Tools can be found by condition."
    made = content("specification", brief=BRIEF, feedback=(wish,))
    added = next(r for r in made["requirements"] if r["statement"] == wish)
    assert added["spans"][0]["source"] == "feedback"
    assert made["feedback"] == [
        {"comment": wish, "honoured": True, "response": f"Taken up as {added['id']}."}
    ]


def test_a_comment_that_the_rules_cannot_honour_is_said_to_be_not_covered():
    made = content("specification", brief=BRIEF, feedback=("Make it more joyful!",))
    note = made["feedback"][0]
    assert note["honoured"] is False
    assert "not covered" in note["response"].lower()


def test_a_comment_on_the_plan_reaches_the_program():
    made = pipeline(BRIEF, feedback={"project_plan": ("It must export the tools to a CSV file.",)})
    paths = [file["path"] for file in made["source_code"].content["files"]]
    assert any(path.endswith("transfer.py") for path in paths)


def test_a_comment_on_the_code_changes_the_program(tmp_path):
    made = pipeline(BRIEF, feedback={"build": ("A neighbour may borrow at most two tools.",)})
    code = made["source_code"].content
    replaced = _requirement(made, "at most four")["id"]
    model = next(f["content"] for f in code["files"] if f["path"].endswith("model.py"))
    assert "limit=2" in model
    assert {"requirement": replaced, "reason": "Replaced by CR-1, which says 2 instead."} in code[
        "not_covered"
    ]
    assert code["feedback"][0]["honoured"] is True
    write(code, tmp_path)
    assert run_tests(tmp_path).returncode == 0


def test_a_comment_on_the_architecture_goes_on_to_the_code():
    made = pipeline(BRIEF, feedback={"architecture": ("Tools can be found by condition.",)})
    covered = [c["requirement"] for c in made["source_code"].content["covered"]]
    assert "CR-1" in covered


def test_requirements_that_a_person_amended_are_what_is_built():
    made = pipeline(BRIEF)
    amended = made["software_specification"].content
    limit = next(r for r in amended["requirements"] if "at most four" in r["statement"])
    limit["statement"] = "A neighbour may borrow at most three tools."
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    code = content("build", brief=BRIEF, materials=(spec,))
    model = next(f["content"] for f in code["files"] if f["path"].endswith("model.py"))
    assert "limit=3" in model


def test_a_data_model_that_a_person_amended_is_what_is_built(tmp_path):
    made = pipeline(BRIEF)
    amended = made["system_architecture"].content
    tool = next(e for e in amended["data_model"] if e["name"] == "tool")
    tool["fields"].append({**tool["fields"][1], "name": "Shelf mark!", "unique": True})
    architecture = handed("system_architecture", amended, version=2, changed_by_person=True)
    code = content("build", brief=BRIEF, materials=(made["software_specification"], architecture))
    model = next(f["content"] for f in code["files"] if f["path"].endswith("model.py"))
    assert 'Field("shelf_mark", unique=True)' in model.replace("'", '"')
    write(code, tmp_path)
    assert run_tests(tmp_path).returncode == 0


def test_code_that_a_person_changed_is_left_as_it_is():
    made = pipeline(BRIEF)
    amended = made["source_code"].content
    amended["files"][0]["content"] += "# by hand\n"
    code = handed("source_code", amended, version=2, changed_by_person=True)
    again = content(
        "build", brief=BRIEF, materials=(*made.values(), code), feedback=("Shorter, please.",)
    )
    assert again["files"] == amended["files"]
    assert again["feedback"][0]["honoured"] is False


def _failed(made, requirement):
    """Test results of a round in which the tests of one requirement failed."""
    code = made["source_code"]
    results = results_of(handed("source_code", {**code.content, "test_command": []}))
    for item in results["coverage"]:
        if item["requirement"] == requirement:
            item["status"] = "failed"
    return handed("test_results", results)


def test_what_failed_in_the_round_before_is_taken_out_and_named(tmp_path):
    made = pipeline(BRIEF)
    requirement = _requirement(made, "back after one week")["id"]
    results = _failed(made, requirement)
    code = content("build", brief=BRIEF, materials=(*made.values(), results), round=2)
    reasons = {n["requirement"]: n["reason"] for n in code["not_covered"]}
    assert reasons[requirement].startswith("Its tests failed")
    assert any(requirement in note for note in code["notes"])
    write(code, tmp_path)
    assert run_tests(tmp_path).returncode == 0


def test_what_was_taken_out_stays_out_in_the_next_round():
    made = pipeline(BRIEF)
    first, second = (_requirement(made, words)["id"] for words in ("one week", "at most four"))
    code = content("build", brief=BRIEF, materials=(*made.values(), _failed(made, first)), round=2)
    later = _failed({"source_code": handed("source_code", code)}, second)
    last = content("build", brief=BRIEF, materials=(*made.values(), later), round=3)
    assert {first, second} <= {n["requirement"] for n in last["not_covered"]}


def test_a_specification_of_which_nothing_can_be_built_becomes_a_question():
    made = pipeline(BRIEF)
    spec = made["software_specification"].content
    spec["requirements"] = [
        {**spec["requirements"][0], "statement": "Customers log in on a web page."}
    ]
    outcome = work("build", brief=BRIEF, materials=(handed("software_specification", spec),))
    assert isinstance(outcome, NeedsPerson)


def test_a_comment_on_an_earlier_step_counts_when_the_specification_is_written_again():
    made = pipeline(BRIEF)
    wish = "It must export the tools to a CSV file."
    plan = handed("project_plan", content("project_plan", brief=BRIEF, feedback=(wish,)), version=2)
    again = content("specification", brief=BRIEF, materials=(plan, made["software_specification"]))
    assert wish in [r["statement"] for r in again["requirements"]]


def test_comments_of_earlier_rounds_are_not_forgotten():
    first = handed(
        "project_plan", content("project_plan", brief=BRIEF, feedback=("Export to CSV.",))
    )
    again = content(
        "project_plan", brief=BRIEF, materials=(first,), feedback=("Be kind.",), round=3
    )
    assert [note["comment"] for note in again["feedback"]] == ["Export to CSV.", "Be kind."]


def test_a_field_that_a_comment_asks_for_is_added_to_the_data_model():
    made = pipeline(BRIEF)
    wish = "Each tool has a name and a weight."
    before = (made["software_specification"], made["system_architecture"])
    design = content("architecture", brief=BRIEF, materials=before, feedback=(wish,))
    code = content("build", brief=BRIEF, materials=before, feedback=(wish,))
    tool = next(entity for entity in design["data_model"] if entity["name"] == "tool")
    assert "weight" in [field["name"] for field in tool["fields"]]
    assert "CR-1" in [c["requirement"] for c in code["covered"]]


def test_a_specification_that_a_person_amended_stays_and_comments_add_to_it():
    amended = pipeline(BRIEF)["software_specification"].content
    amended["requirements"] = amended["requirements"][:3]
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    wish = "Tools can be found by condition."
    again = content("specification", brief=BRIEF, materials=(spec,), feedback=(wish,))
    assert again["requirements"][:3] == amended["requirements"]
    assert [r["statement"] for r in again["requirements"][3:]] == [wish]


def test_a_late_change_gets_a_number_of_its_own():
    amended = pipeline(BRIEF)["software_specification"].content
    amended["requirements"][0]["id"] = "CR-1"
    spec = handed("software_specification", amended, version=2, changed_by_person=True)
    code = content("build", brief=BRIEF, materials=(spec,), feedback=("List tools by condition.",))
    assert code["feedback"][0]["response"] == "Taken up as CR-2."
