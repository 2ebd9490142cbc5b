import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from context.artifact_types import ContentError, artifact_types, validate_content
from context.services.content import check_content
from tests.agents.demo_cases import EXAMPLES, pipeline

CODE = {
    "title": "Sum",
    "summary": "Adds.",
    "files": [{"path": "main.py", "content": "", "language": "python"}],
    "entry_point": "main.py",
    "test_command": ["python3", "-m", "unittest"],
    "covered": [],
}
RESULTS = {
    "summary": "All is well.",
    "command": "python3 -m unittest",
    "exit_code": 0,
    "passed": True,
    "timed_out": False,
    "counts": {"run": 1, "passed": 1, "failed": 0, "errors": 0, "skipped": 0},
    "failures": [],
    "output": "",
    "duration_ms": 1,
    "isolation": {},
    "coverage": [],
}

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
facts = st.dictionaries(names, names, max_size=6)


def _errors(artifact_type, content):
    with pytest.raises(ContentError) as caught:
        validate_content(artifact_type, content)
    return caught.value.errors


def _floats(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in _floats(item)]
    if isinstance(value, list):
        return [number for item in value for number in _floats(item)]
    return [value] if isinstance(value, float) else []


@pytest.mark.parametrize("artifact_type", artifact_types.values)
def test_every_field_is_described(artifact_type):
    schema = artifact_types[artifact_type].schema.model_json_schema()
    for model in [schema, *schema.get("$defs", {}).values()]:
        assert model["additionalProperties"] is False
        for name, field in model["properties"].items():
            assert field.get("description"), f"{artifact_type}: {name}"


@pytest.mark.parametrize("artifact_type", artifact_types.values)
def test_no_schema_lets_a_float_in(artifact_type):
    assert '"type": "number"' not in json.dumps(
        artifact_types[artifact_type].schema.model_json_schema()
    )


def test_contents_of_real_work_are_valid_hashable_and_stay_the_same():
    for material in pipeline(EXAMPLES[0].read_text(encoding="utf-8")).values():
        content = validate_content(material.artifact_type, json.loads(json.dumps(material.content)))
        assert content == material.content
        assert rfc8785.dumps(content)
        assert not _floats(content)


@given(st.text(min_size=1))
def test_text_that_is_valid_comes_back_unchanged(text):
    try:
        content = validate_content("user_input", {"text": text})
    except ContentError:
        assert "\x00" in text or not text.isprintable()
        return
    assert content == {"text": text}
    assert rfc8785.dumps(content)


@given(facts, st.randoms())
def test_the_hash_of_a_content_is_that_of_its_canonical_json_in_whatever_order(isolation, chance):
    content = check_content("test_results", RESULTS).content | {"isolation": isolation}
    shuffled = {name: content[name] for name in chance.sample(list(content), len(content))}
    turned = dict(reversed(isolation.items()))

    checked = check_content("test_results", content)

    assert checked.sha256 == hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    for same in (shuffled, content | {"isolation": turned}, json.loads(json.dumps(content))):
        assert check_content("test_results", same).sha256 == checked.sha256
    assert check_content("test_results", checked.content) == checked


def test_an_error_names_the_field_by_its_path():
    errors = _errors("source_code", {**CODE, "files": [{"path": "main.py", "content": 3}]})
    assert {"files.0.content", "files.0.language"} == {error["field"] for error in errors}
    assert all(error["code"] and error["detail"] for error in errors)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("passed", "yes"),
        ("passed", 1),
        ("timed_out", "false"),
        ("exit_code", "5"),
        ("exit_code", True),
        ("duration_ms", 1.0),
    ],
)
def test_nothing_is_taken_for_what_it_is_not(field, value):
    assert validate_content("test_results", RESULTS)

    assert [e["field"] for e in _errors("test_results", RESULTS | {field: value})] == [field]


def test_unknown_fields_are_refused():
    assert _errors("user_input", {"text": "a", "extra": 1})[0]["field"] == "extra"


def test_an_unknown_type_is_refused_with_the_known_ones():
    assert "source_code" in _errors("poem", {})[0]["detail"]


@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_what_is_no_object_is_refused(content):
    assert _errors("user_input", content)


@pytest.mark.parametrize("text", ["\x00", "a\ud800b"])
def test_text_that_no_database_can_hold_is_refused(text):
    assert _errors("user_input", {"text": text})


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../up.py", "a/../b.py", "./a.py", "a//b.py", "C:\\a.py", "C:/a.py", "a\\b.py",
     "~/a.py", "a/", "", " ", "a\nb.py", "a/ b.py", "x" * 201],
)  # fmt: skip
def test_a_path_that_leads_out_is_refused(path):
    assert _errors("source_code", {**CODE, "files": [{**CODE["files"][0], "path": path}]})


@pytest.mark.parametrize(
    "paths", [["main.py", "main.py"], ["main.py", "Main.py"], ["main.py", "main.py/a"]]
)
def test_paths_that_clash_are_refused(paths):
    files = [{"path": path, "content": "", "language": "python"} for path in paths]
    assert _errors("source_code", {**CODE, "files": files})


@pytest.mark.parametrize(
    "change",
    [
        {"entry_point": "other.py"},
        {"covered": [{"requirement": "one", "tests": []}]},
        {
            "covered": [{"requirement": "FR-1", "tests": []}],
            "not_covered": [{"requirement": "FR-1", "reason": "x"}],
        },
    ],
)
def test_source_code_that_contradicts_itself_is_refused(change):
    assert _errors("source_code", {**CODE, **change})


def _specification(**span):
    requirement = {
        "id": "FR-1", "kind": "functional", "title": "t", "statement": "s", "priority": "must",
        "acceptance_criteria": [], "spans": [span] if span else [],
    }  # fmt: skip
    lists = {name: [] for name in ("actors", "out_of_scope", "assumptions")}
    kind = {"title": "t", "summary": "s", "product_kind": "k"}
    return {**kind, **lists, "requirements": [requirement]}


def test_a_requirement_without_a_source_is_fine():
    assert validate_content("software_specification", _specification())


def test_a_span_must_fit_its_quote():
    span = {"source": "brief", "start": 0, "end": 3, "quote": "ab"}
    assert _errors("software_specification", _specification(**span))


def test_requirement_ids_are_unique():
    content = _specification()
    content["requirements"] *= 2
    assert "FR-1" in _errors("software_specification", content)[0]["detail"]


def test_work_items_need_only_what_comes_before():
    item = {
        "number": 1, "title": "t", "detail": "d", "components": [], "requirements": [], "files": [],
        "needs": [1],
    }  # fmt: skip
    plan = {"title": "t", "approach": "a", "items": [item], "test_strategy": "s"}
    assert _errors("implementation_plan", plan)
