import json
import random
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from context.artifact_types import artifact_types
from context.parts import estimate_tokens, find_concepts, split_content
from context.parts.sections import PIECE_MAX_CHARACTERS, cut
from tests.agents.demo_cases import EXAMPLES, pipeline
from tests.context.documents import contents, is_same, joined, long_texts, markdown

MARKDOWN_FIELDS = [("user_input", "text"), ("agent_output", "body"), ("hitl_response", "answer")]


@pytest.fixture(scope="module")
def made():
    return {key: m.content for key, m in pipeline(EXAMPLES[0].read_text(encoding="utf-8")).items()}


def paths(artifact_type, content):
    return [part.path for part in split_content(artifact_type, content)]


@given(st.sampled_from(list(artifact_types.values)), contents)
@example("source_code", {"files": [{"path": "a/b~1", "content": "x"}, {"path": "", "content": ""}]})
@example("source_code", {"files": [{"path": "a", "content": "x", "more/~": [None, {"": 0}]}] * 2})
@example("agent_output", {"": "x" * 500, "/": ["y" * 500], "~1": {"a": "z" * 500}, "a": None})
def test_the_parts_give_back_any_content(artifact_type, content):
    assert is_same(joined(artifact_type, content), content)


@given(st.sampled_from(MARKDOWN_FIELDS), markdown)
@example(MARKDOWN_FIELDS[0], "```\n# no heading\n")
@example(MARKDOWN_FIELDS[0], "\r\n# A\r\n## A ##\r\nx\u2028# y\n# ")
def test_the_sections_of_a_document_are_the_document(field, text):
    artifact_type, key = field

    parts = split_content(artifact_type, {key: text})

    assert "".join(part.text for part in parts[1:]) == text
    assert is_same(joined(artifact_type, {key: text}), {key: text})
    assert len({part.path for part in parts}) == len(parts)


@given(long_texts)
def test_the_pieces_of_a_long_text_are_the_text_and_none_is_too_long(text):
    pieces = cut(text)

    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= PIECE_MAX_CHARACTERS


@given(long_texts, st.integers(0, 1_000_000), st.text("abc\n", max_size=50))
def test_an_edit_of_a_long_text_leaves_the_pieces_before_it_as_they_were(text, place, words):
    text = numbered(text[:200] for _ in range(400))
    place %= len(text)
    line = text.rfind("\n", 0, place) + 1

    before, after = cut(text), cut(text[:place] + words + text[place:])

    ends = accumulate(map(len, before))
    untouched = [piece for piece, end in zip(before, ends, strict=True) if end < line]
    assert after[: len(untouched)] == untouched


@given(long_texts, st.integers(0, 1_000_000))
def test_pieces_do_not_depend_on_what_is_before_the_cut(text, number):
    pieces = cut(text)
    rest = pieces[number % len(pieces) :]

    assert cut("".join(rest)) == rest or len("".join(rest)) <= PIECE_MAX_CHARACTERS


@pytest.mark.parametrize("seed", range(5))
def test_an_edit_of_a_long_text_leaves_most_pieces_behind_it_as_they_were(seed):
    """How soon the same places are found again is a matter of chance: so, of many edits."""
    chance = random.Random(seed)
    text = numbered(
        "".join(chance.choices("abcdefg ", k=chance.randrange(200))) for _ in range(400)
    )
    before = set(cut(text))

    places = [chance.randrange(len(text)) for _ in range(100)]
    counts = [len(set(cut(text[:at] + "a\nb" + text[at:])) - before) for at in places]

    assert sum(counts) / len(counts) < 1.5


def numbered(lines):
    return "\n".join(f"{number} {line}" for number, line in enumerate(lines))


def test_every_artifact_of_real_work_is_its_parts(made):
    for artifact_type, content in made.items():
        assert is_same(joined(artifact_type, content), content)
        assert split_content(artifact_type, content) == split_content(
            artifact_type, json.loads(json.dumps(content))
        )


def test_a_document_is_cut_at_its_headings_but_not_inside_code():
    text = "Intro\n# A\na\n## B\n```\n# no heading\n```\n# A\nc\n## B ##\n"

    parts = split_content("agent_output", {"summary": "s", "body": text})

    assert [(part.path, part.title) for part in parts] == [
        ("outline", "Outline"),
        ("body", "Body"),
        ("body/a", "A"),
        ("body/a/b", "B"),
        ("body/a~2", "A"),
        ("body/a/b~2", "B"),
    ]
    assert parts[3].text == "## B\n```\n# no heading\n```\n"


def test_underlined_headings_are_headings_and_front_matter_is_not():
    text = "---\ntitle: Rules\n---\nLending\n=======\nA\n\nHow long\r\n---\r\nB\n\n***\n"

    parts = split_content("user_input", {"text": text})[1:]

    assert [part.path for part in parts] == ["text", "text/lending", "text/lending/how-long"]
    assert parts[0].text == "---\ntitle: Rules\n---\n"
    assert "".join(part.text for part in parts) == text


@pytest.mark.parametrize(
    "around",
    [
        "- ```sh\n  # no heading\n  ```\n",
        "> # no heading\n",
        "<!--\n# no heading\n-->\n",
        "1. Do\n\n    ```\n    # no heading\n    ```\n",
    ],
)
def test_what_stands_in_lists_quotes_and_comments_is_no_heading_and_hides_none(around):
    parts = split_content("user_input", {"text": f"# One\n{around}\n# Use of C#\n"})[1:]

    assert [part.title for part in parts] == ["One", "Use of C#"]


@pytest.mark.parametrize("text", ["# One\n" * 401, "# One\n" + "a\n" * 20_000])
def test_what_is_no_document_is_cut_by_its_length_alone(text):
    parts = split_content("user_input", {"text": text})[1:]

    assert {part.path.partition("~")[0] for part in parts} == {"text"}
    assert "".join(part.text for part in parts) == text


def test_a_program_is_cut_into_its_files(made):
    code = made["source_code"]
    parts = {part.path: part for part in split_content("source_code", code)}

    for file in code["files"]:
        pieces = [
            p.text for path, p in parts.items() if path.split("~")[0] == f"files/{file['path']}"
        ]
        assert "".join(pieces) == file["content"]


def test_a_long_list_has_a_section_for_each_item_named_by_its_id(made):
    specification = made["software_specification"]

    named = {f"requirements/{r['id'].lower()}" for r in specification["requirements"]}

    assert named <= set(paths("software_specification", specification))


def test_a_document_of_nothing_but_headings_is_not_cut_at_each():
    text = "# a\n" * 50_000

    parts = split_content("agent_output", {"body": text})

    assert 30 < len(parts) < 250
    assert "".join(part.text for part in parts[1:]) == text


def test_the_estimate_of_tokens_counts_other_scripts_by_the_character():
    assert [estimate_tokens(t) for t in ("", "a", "abcde", "日本語", "abcd日")] == [0, 1, 2, 3, 2]


def test_concepts_keep_their_ids_when_others_come_and_go(made):
    specification = made["software_specification"]
    before = {c.identifier: c for c in find_concepts("software_specification", specification)}
    shorter = specification | {"requirements": specification["requirements"][1:]}

    after = {c.identifier: c for c in find_concepts("software_specification", shorter)}

    gone = specification["requirements"][0]["id"]
    assert gone in before
    assert gone not in after
    assert after == {key: concept for key, concept in before.items() if key != gone}


def test_a_design_names_decisions_entities_and_endpoints(made):
    design = made["system_architecture"] | {
        "interfaces": ["Lend by POST /loans; list by `GET /loans`.", "A command line."],
        "decisions": [{"title": "Use SQLite", "reason": "Small.", "alternatives": []}],
        "data_model": [{"name": "book", "description": "", "fields": []}],
    }

    concepts = [(c.kind, c.identifier) for c in find_concepts("system_architecture", design)]

    assert concepts == [
        ("decision", "decision/use-sqlite"),
        ("entity", "entity/book"),
        ("endpoint", "endpoint/POST /loans"),
        ("endpoint", "endpoint/GET /loans"),
    ]


def test_requirements_and_questions_in_documents_are_found():
    body = "# FR-1 Lend\n- **FR-2**: return\n| NFR-3 | fast |\nOn FR-4.\n1. REQ-007 Fees\n"
    clarification = {"questions": ["How  long?"], "answer": "Two weeks.", "answered_by": ""}

    concepts = find_concepts("agent_output", {"body": body, "clarifications": [clarification]})

    assert [c.identifier for c in concepts[:4]] == ["FR-1", "FR-2", "NFR-3", "REQ-007"]
    assert (concepts[4].kind, concepts[4].title) == ("question", "How long?")
    [same] = find_concepts("hitl_response", {"questions": ["how long?"], "answer": "Two weeks."})
    assert same.identifier == concepts[4].identifier
