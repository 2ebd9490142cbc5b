import hashlib
import json

import pytest
from markdown_it import MarkdownIt

from agents.protocols import Assignment
from agents.providers.demo import DemoModel
from agents.role import role_for
from agents.roles.tester import results_of
from context.artifact_types import artifact_types
from context.diff import diff_contents
from context.markdown import plain
from context.rendering import as_files, render_markdown
from context.side_by_side import compare_contents
from tests.agents.demo_cases import EXAMPLES, handed, pipeline
from ui.web.artifacts.content_html import content_html

EVIL = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![i](http://x) | ``` \n# heading\n- "
    "item & co"
)


@pytest.fixture(scope="module")
def contents():
    materials = pipeline(EXAMPLES[0].read_text(encoding="utf-8"))
    source_code = {**materials["source_code"].content, "test_command": []}
    results = results_of(handed("source_code", source_code), {})
    handed_over = (materials["source_code"], handed("test_results", results))
    expected = ("deployment_package", "deployment_log")
    assignment = Assignment("P", "deployer", "launch", "", 1, "", "", expected, handed_over)
    launched = role_for("deployer").run(assignment, DemoModel())
    contents = {key: material.content for key, material in materials.items()}
    contents |= {output.artifact_type: output.content for output in launched.outputs}
    contents |= {"test_results": results, "user_input": {"text": "Some words."}}
    answer = {"questions": ["What?"], "answer": "That.", "answered_by": "ada", "action": "answer"}
    return contents | {"hitl_response": answer}


def _poisoned(value):
    """The same content with hostile words in every free text."""
    if isinstance(value, dict):
        return {key: _poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_poisoned(item) for item in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("artifact_type", artifact_types.values)
def test_every_type_reads_as_a_document(contents, artifact_type):
    text = render_markdown(artifact_type, contents[artifact_type])
    assert text.endswith("\n")
    assert len(text) > 20


@pytest.mark.parametrize("artifact_type", artifact_types.values)
def test_no_words_become_html_links_or_pictures(contents, artifact_type):
    text = render_markdown(artifact_type, _poisoned(contents[artifact_type]))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script" not in html
    assert "<img" not in html
    if artifact_type not in ("agent_output", "deployment_log"):
        assert "<a " not in html
        assert "<h1>heading" not in html


@pytest.mark.parametrize("fence", ["```", "~~~~", "````python"])
def test_a_block_that_is_left_open_hides_nothing_behind_it(contents, fence):
    left_open = f"Done.\n\n{fence}\ncode"
    note = {"comment": "Why?", "honoured": False, "response": "No time."}
    output = contents["agent_output"] | {"body": left_open, "feedback": [note]}
    log = contents["deployment_log"] | {"release_notes": left_open, "rollback": ["Go back."]}

    assert "What became of comments" in headings(render_markdown("agent_output", output))
    assert "Way back" in headings(render_markdown("deployment_log", log))


def headings(markdown):
    tokens = MarkdownIt("commonmark").parse(markdown)
    return [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]


def test_what_is_not_covered_is_shown(contents):
    for artifact_type in ("software_specification", "source_code", "deployment_package"):
        missing = contents[artifact_type]["not_covered"]
        assert missing
        text = render_markdown(artifact_type, contents[artifact_type])
        assert "## Not covered" in text
        assert missing[0]["requirement"] in text


def test_source_code_becomes_real_files(contents):
    files = as_files("source_code", contents["source_code"])
    for file in contents["source_code"]["files"]:
        assert files[f"source/{file['path']}"] == file["content"]


def test_the_package_comes_with_sums_that_sha256sum_can_check(contents):
    package = contents["deployment_package"]
    sums = as_files("deployment_package", package)["SHA256SUMS"]
    assert hashlib.sha256(sums.encode()).hexdigest() == package["checksum"]


@pytest.mark.parametrize("artifact_type", artifact_types.values)
def test_every_type_is_exported_as_document_and_data(contents, artifact_type):
    files = as_files(artifact_type, contents[artifact_type])
    assert json.loads(files[f"{artifact_type}.json"]) == contents[artifact_type]
    assert files[f"{artifact_type}.md"] == render_markdown(artifact_type, contents[artifact_type])


def test_a_type_nobody_knows_is_shown_as_data():
    assert '"a": 1' in render_markdown("poem", {"a": 1})


def test_plain_text_stays_in_its_line():
    assert "\n" not in plain("a\nb\r\nc")


STALE = [
    {},
    {"title": "T"},
    {"title": "T", "files": "none", "summary": 1},
    {"title": "T", "files": [1, {"path": "a"}]},
    {"files": [{"path": "a", "content": None}], "isolation": [], "coverage": 3},
    {"feedback": [1], "not_covered": {"a": 1}, "clarifications": "x"},
]


@pytest.mark.parametrize("artifact_type", [*artifact_types.values, "poem"])
@pytest.mark.parametrize("content", STALE)
def test_what_is_older_than_its_schema_is_still_readable(artifact_type, content):
    files = as_files(artifact_type, content)

    assert json.loads(files[f"{artifact_type}.json"]) == content
    assert all(isinstance(text, str) for text in files.values())
    assert files[f"{artifact_type}.md"] == render_markdown(artifact_type, content)
    assert content_html(artifact_type, content)
    assert diff_contents(artifact_type, content, content | {"new": 1})["changes"]
    compare_contents(artifact_type, content, content | {"new": 1})


def test_a_program_that_lacks_a_field_keeps_its_files(contents):
    program = {k: v for k, v in contents["source_code"].items() if k != "covered"}

    files = as_files("source_code", program)

    assert f"source/{program['files'][0]['path']}" in files
    assert files["source_code.md"].lstrip("`").startswith("json\n")
    assert "<details" in content_html("source_code", program)
