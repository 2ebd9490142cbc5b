import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agents.offline.documents import WRITERS
from agents.protocols import Answer, Assignment, Completed, NeedsPerson, Questions
from agents.providers.offline import OfflineModel
from context.schemas import SCHEMAS, validate_content
from tests.agents.offline_cases import content, pipeline, run_tests, work, write

BRIEFS = {
    "recipes": """# Recipe box
Each recipe has a title, a list of ingredients, a cooking time and a category (starter, main or
dessert).
I can add recipes, edit them and delete recipes. I want to search recipes by ingredient or title.
It should show all recipes sorted by cooking time. Ratings from 1 to 5 would be nice.
Two recipes must not have the same title. It should suggest a recipe for dinner.""",
    "inventory": """# Workshop inventory
* Every part has a name, a unique part number, a quantity and a shelf
* Volunteers can register new parts, receive parts and issue parts
* The quantity must never become negative
* The program lists all parts with fewer than 5 pieces
* Show the total quantity by shelf
* Import parts from a CSV file""",
    "habits": """As a user I want to add habits with a name and a goal. I want to tick off a habit
each day.
A habit can be ticked only once a day. I want to see my streak. There may be at most 10 habits.""",
    "tasks": """Users can add tasks with a title, a due date and a priority. The priority is low,
medium or high.
Users can mark a task as done. The program shows overdue tasks. A task must have a title.""",
    "rooms": """Rooms have a name and a number of seats. Staff can add rooms. Staff can book a
room for a day.
Two bookings of the same room must not overlap. Staff can cancel a booking. A booking may last at
most 3 hours.""",
    "cleaner": """The tool takes a CSV file. Columns: name, email, city and joined date. It must
remove duplicate
rows. It must trim spaces. Rows with an invalid date must be listed. It should write a cleaned
file.""",
    "rental": """Skis cost 18 EUR per day. Children under 14 years get a discount of 40%. From 6
days there is a
discount of 15 percent. Customers younger than 4 years are refused. The price must be at most 300
EUR.""",
    "rezepte": """- Jedes Rezept hat einen Titel, eine Kategorie und eine Dauer.
- Nutzer können Rezepte anlegen und löschen.
- Nutzer sollen Rezepte nach Kategorie suchen können.
- Der Titel ist eindeutig.""",
}
USELESS = {
    "empty": " ",
    "short": "A todo app",
    "emoji": "😀🎉🚀" * 200,
    "vague": "Make something cool that our customers will love. It should be modern and fast.",
    "noise": "asdf qwer zxcv uiop hjkl " * 20,
    "hebrew": "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd " * 20,
    "web only": "A web page where people log in and pay online by credit card.",
}
TORTURE = {
    "html": "<script>alert(1)</script><b>Users can add <i>tasks</i></b> & list tasks. " * 30,
    "spaces": ". " + " " * 100_000 + "x",
    "hashes": "# a" + "#" * 99_990 + "b",
    "stars": "* " * 50_000,
    "one word": "a" * 100_000,
    "commas": "Each book has a title" + ", a b" * 20_000,
    "books": "Members can borrow books and add books with title, author and year. " * 1_500,
    "prices": "Parcels up to 2 kg cost 4 EUR. " * 3_000,
    "digits": "9" * 100_000,
    "rtl": "\u202eUsers can add tasks with a title\u202c. " * 2_500,
    "quotes": "Users can add \"\"\"'''\\n{tasks}%s' or 1=1. " * 500,
    "columns": "The CSV file has the columns: " + "import os, " * 5_000,
}


@pytest.mark.parametrize("name", BRIEFS)
def test_a_program_of_another_brief_passes_its_own_tests(name, tmp_path):
    code = pipeline(BRIEFS[name])["source_code"].content
    write(code, tmp_path)
    result = run_tests(tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(code["covered"]) > len(code["not_covered"])


@pytest.mark.parametrize("name", USELESS)
def test_an_unusable_brief_becomes_questions(name):
    outcome = work("project_plan", brief=USELESS[name])
    assert isinstance(outcome, NeedsPerson)
    assert all(outcome.questions)
    assert outcome.usage.provider == "offline"


def test_the_answer_flows_into_the_work():
    answer = Answer(("What?",), "People can add tasks with a title and a due date.", "ada")
    made = pipeline("A todo app", answers=[answer])
    first = made["software_specification"].content["requirements"][0]
    span = first["spans"][0]
    assert span["source"] == "answer"
    assert answer.answer[span["start"] : span["end"]] == span["quote"] == answer.answer
    assert made["project_plan"].content["clarifications"][0]["answered_by"] == "ada"


def test_an_answer_that_was_given_earlier_comes_along_with_the_plan():
    answer = Answer(("What?",), "People can add tasks with a title and a due date.", "ada")
    plan = pipeline("A todo app", answers=[answer])["project_plan"]
    outcome = work("specification", brief="A todo app", materials=(plan,))
    assert isinstance(outcome, Completed)


@pytest.mark.parametrize("name", TORTURE)
def test_no_brief_takes_long_or_breaks_anything(name):
    for artifact_type, schema in SCHEMAS.items():
        if artifact_type not in WRITERS:
            continue
        asked = Assignment("P", "analyst", "s", "", 1, "", TORTURE[name], (artifact_type,))
        began = time.thread_time()
        reply = OfflineModel().produce(
            asked, artifact_type=artifact_type, output_type=schema, instructions=""
        )
        assert time.thread_time() - began < 2
        if not isinstance(reply.content, Questions):
            validate_content(artifact_type, reply.content.model_dump(mode="json"))


TOKENS = """
book books member each has a title author can add borrow return at most five days must list by csv
column columns total per month costs 5 EUR kg up to 10 % discount , . : - # and or not overdue stock
below room book() cancel rezept hat einen titel können anlegen email unique same import class None
' " \\ {x} <b> 😀 \u202e
"""
WORDS = st.sampled_from([*TOKENS.split(), "\n", "\n- "])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=60).map(" ".join))
@example("book book unique")
def test_whatever_the_words_the_program_is_python_and_every_id_is_accounted_for(brief):
    asked = Assignment("P", "coder", "build", "", 1, "", brief, ("source_code",))
    reply = OfflineModel().produce(
        asked, artifact_type="source_code", output_type=SCHEMAS["source_code"], instructions=""
    )
    if isinstance(reply.content, Questions):
        return
    for file in reply.content.files:
        if file.path.endswith(".py"):
            compile(file.content, file.path, "exec")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_the_rules_fail(brief):
    asked = Assignment("P", "analyst", "s", "", 1, "", brief, ("software_specification",))
    reply = OfflineModel().produce(
        asked, artifact_type="software_specification",
output_type=SCHEMAS["software_specification"],
        instructions="",
    )  # fmt: skip
    assert isinstance(reply.content, Questions | SCHEMAS["software_specification"])


def test_words_of_a_brief_are_never_executed(tmp_path):
    hostile = "'''\"\"\"__import__('os').abort()'''"
    brief = f"Users can add {hostile} tasks with a title\\' and a {{note}}. List tasks."
    code = content("build", brief=brief)
    write(code, tmp_path)
    assert run_tests(tmp_path).returncode == 0
