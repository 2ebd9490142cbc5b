"""Every sentence is quoted in its place, in any language; nothing is dropped."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents.providers.demo import SHORTEST_BRIEF
from agents.providers.demo.brief import read
from agents.roles.tester import results_of
from context.artifact_types import artifact_types
from tests.agents.demo_cases import EXAMPLES, content, handed, pipeline

GERMAN = """Vereinsverwaltung
=================

Der Verein hat z. B. 120 Mitglieder, vgl. Nr. 5 der Satzung. Am 3. Mai kam Dr. Müller dazu.

Wir brauchen:
* Mitglieder anlegen
* Beiträge:
  - jährlich 50,00 EUR
  - ermäßigt 25,00 EUR
* Mahnungen verschicken

## Nicht nötig
### Eine App
"""
CHINESE = (
    "# 图书馆\n我们需要一个借书程序。成员可以借书！每人最多五本？\n\n一、登记成员\n二、归还图书\n"
)
ARABIC = "نحتاج برنامجا للمكتبة. هل يمكن للأعضاء استعارة الكتب؟ نعم."
TABLE = """# Rights

| Role | May |
|---|---|
| Owner | write |
| Guest | read |

| Head | alone |
|--|--|
"""


def quotes(text):
    return [passage.quote for passage in read(text)]


def test_sentences_lists_and_abbreviations_are_told_apart():
    assert quotes(GERMAN) == [
        "Der Verein hat z. B. 120 Mitglieder, vgl. Nr. 5 der Satzung.",
        "Am 3. Mai kam Dr. Müller dazu.",
        "Mitglieder anlegen",
        "jährlich 50,00 EUR",
        "ermäßigt 25,00 EUR",
        "Mahnungen verschicken",
        "Eine App",
    ]


def test_what_leads_into_a_list_is_quoted_with_each_of_its_items():
    leads = [
        [GERMAN[start:end] for start, end in passage.leads]
        for passage in read(GERMAN)
        if passage.kind == "list item"
    ]
    assert leads == [
        ["Wir brauchen:"],
        ["Wir brauchen:", "Beiträge:"],
        ["Wir brauchen:", "Beiträge:"],
        ["Wir brauchen:"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("程序。借书！几本？\n\n一、登记", ["程序。", "借书！", "几本？", "一、登记"]),
        (ARABIC, ["نحتاج برنامجا للمكتبة.", "هل يمكن للأعضاء استعارة الكتب؟", "نعم."]),
        ("- one\n- two. Three!\n", ["one", "two.", "Three!"]),
        ("Write a CSV. Read bzw. load it.", ["Write a CSV.", "Read bzw. load it."]),
        ("Users log in\nUsers log out\n", ["Users log in", "Users log out"]),
        ("Text.\n\n```sh\nmake. It\n```\nMore.", ["Text.", "```sh\nmake. It\n```", "More."]),
        (TABLE, ["| Owner | write |", "| Guest | read |", "| Head | alone |"]),
        ("# Only a heading", ["Only a heading"]),
        ("???", ["???"]),
        ("--- \n\n***\n", []),
    ],
)  # fmt: skip
def test_a_text_is_cut_at_its_marks(text, expected):
    assert quotes(text) == expected


def test_each_passage_knows_its_section_and_line():
    places = [
        (passage.section, passage.line) for passage in read("# T\n\nA.\n## S\n\nB. C.\n### U\nD.")
    ]
    assert places == [("", 3), ("S", 6), ("S", 6), ("S › U", 8)]


def test_a_row_reads_with_the_names_of_its_columns():
    made = content("specification", brief=TABLE)
    assert made["requirements"][0]["statement"] == "Role: Owner; May: write"


def test_a_long_brief_shares_requirements_and_loses_nothing():
    brief = "".join(f"Item{n} is wanted.\n\n" for n in range(2_000))
    made = content("specification", brief=brief)
    text = json.dumps(made["requirements"])
    assert len(made["requirements"]) <= 300
    assert all(f"Item{n} " in text for n in range(2_000))


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
PIECES = st.one_of(
    WORDS,
    st.sampled_from(
        ["# ", "## ", "- ", "1. ", "  * ", "| a | b |", "|---|---|", "```", "===", "---", "> "]
    ),
    st.sampled_from([". ", "! ", "。", "؟ ", ": ", ":\n", "\n", "\n\n", "z. B. ", "\r\n", "\t"]),
)
BRIEFS = st.lists(PIECES, min_size=1, max_size=60).map("".join)


@given(BRIEFS)
@example("| a | b |\n|---|---|\n- item")
@example("# T\n```\nopen")
def test_no_word_of_a_random_brief_is_left_out(brief):
    """Independently of how it is cut: each run of letters and digits is in the specification."""
    if not read(brief):
        return
    made = content("specification", brief=brief)
    text = " ".join(
        [made["title"]]
        + [item["title"] for item in made["requirements"]]
        + [span["quote"] for item in made["requirements"] for span in item["spans"]]
    )
    assert set(re.findall(r"[^\W_]+", brief)) <= set(re.findall(r"[^\W_]+", text))
    for item in made["requirements"]:
        for span in item["spans"]:
            assert brief.replace("\x00", "\ufffd")[span["start"] : span["end"]] == span["quote"]


@given(BRIEFS)
def test_no_requirement_of_a_random_brief_is_said_to_be_tested(brief):
    if len(brief.strip()) < SHORTEST_BRIEF or not read(brief):
        return
    made = pipeline(brief)
    code = handed("source_code", {**made["source_code"].content, "test_command": []})
    results = results_of(
        code, {r["id"]: "" for r in made["software_specification"].content["requirements"]}
    )
    assert {item["status"] for item in results["coverage"]} == {"not_covered"}
    assert len(results["coverage"]) == len(made["software_specification"].content["requirements"])
    assert made["source_code"].content["covered"] == []
    for artifact_type, material in made.items():
        assert "demo" in json.dumps(material.content)
        assert artifact_types[artifact_type].schema.model_validate(material.content)


@pytest.mark.parametrize(
    "brief", [GERMAN, CHINESE, ARABIC, TABLE, *(e.read_text() + "\nOne more." for e in EXAMPLES)]
)
def test_the_tests_of_the_skeleton_run_and_try_no_requirement(brief):
    made = pipeline(brief)
    ids = [one["id"] for one in made["software_specification"].content["requirements"]]
    results = results_of(made["source_code"], dict.fromkeys(ids, ""))
    assert results["summary"].startswith(f"0 of {len(ids)} requirements are tested.")
    assert results["exit_code"] == 0
    assert results["passed"] is False
    assert results["counts"]["skipped"] == len(ids)
    assert results["counts"]["passed"] == results["counts"]["run"] - len(ids) > 0
    assert {item["reason"] for item in results["coverage"]} == {
        "not built: the demo model writes no programs"
    }
