import textwrap

import pytest

from orchestrator import settings
from orchestrator.engine.definition import (
    Definition,
    DefinitionError,
    UnknownDefinitionError,
    available_definitions,
    definition_hash,
    gate_for,
    load_definition,
    parse_definition,
)
from projects.agent_types import agent_types

HEAD = "name: tiny\nversion: 1\ntitle: Tiny\nsteps:\n"


def step(step_id, **fields):
    """One step as YAML, seven lines and one for each extra field."""
    known = {"phase": "build", "agent": "coder", "creates": "[source_code]", "needs": "[]"} | fields
    lines = [f"id: {step_id}", "title: A step", "instructions: Do it."]
    lines += [f"{name}: {value}" for name, value in known.items()]
    return textwrap.indent("- " + "\n  ".join(lines), "  ") + "\n"


def parse(*steps):
    return parse_definition(HEAD + "".join(steps), "tiny.yaml")


def errors_of(text):
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, "tiny.yaml")
    return [(e["line"], e["path"], e["detail"]) for e in caught.value.errors]


DIAMOND = (
    step("start"),
    step("left", needs="[start]"),
    step("right", needs="[start]", creates="[test_results]"),
    step("join", needs="[left, right]"),
    step("aside", needs="[start]"),
)


def test_the_settings_know_every_agent():
    assert sorted(settings.AGENT_TYPES) == sorted(agent_types.values)


@pytest.mark.django_db
def test_the_built_in_workflow_is_valid_and_in_order():
    sdlc = load_definition("sdlc")
    assert "sdlc" in available_definitions()
    assert sdlc.order == tuple(one.id for one in sdlc.steps)
    assert sdlc.step("validate").on_fail.rewind_to == "build"


@pytest.mark.django_db
def test_every_built_in_workflow_loads():
    assert [load_definition(name).name for name in available_definitions()] == list(
        available_definitions()
    )


def test_the_built_in_build_revises_its_code_by_the_failed_tests():
    sdlc = load_definition("sdlc")
    assert sdlc.revised("build", "test_results") == ("validate",)
    assert sdlc.sources("build", "system_architecture") == ("architecture",)


def test_every_artifact_of_the_built_in_workflow_reaches_a_later_step_or_is_the_product():
    sdlc = load_definition("sdlc")
    created = {artifact_type for one in sdlc.steps for artifact_type in one.creates}
    required = {artifact_type for one in sdlc.steps for artifact_type in one.requires}
    assert created - required == {"deployment_package", "deployment_log"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nothing", "../sdlc", "", "SDLC", "sdlc.yaml", "\x00"])
def test_an_unknown_name_says_what_there_is(name):
    with pytest.raises(UnknownDefinitionError, match="sdlc"):
        load_definition(name)


def test_dependents_are_the_step_and_all_that_depends_on_it():
    diamond = parse(*DIAMOND)
    assert diamond.dependents("start") == ("start", "left", "right", "join", "aside")
    assert diamond.dependents("left") == ("left", "join")
    assert diamond.dependents("aside") == ("aside",)


def test_ancestors_are_all_that_must_be_done_before():
    diamond = parse(*DIAMOND)
    assert diamond.ancestors("join") == ("start", "left", "right")
    assert diamond.ancestors("start") == ()


def test_only_ancestors_hand_over_what_a_step_requires():
    diamond = parse(*DIAMOND)
    assert diamond.sources("join", "source_code") == ("start", "left")
    assert diamond.sources("left", "test_results") == ()


def test_a_step_may_need_one_that_is_written_below_it():
    definition = parse(step("second", needs="[first]"), step("first"))
    assert definition.order == ("first", "second")


def test_an_unknown_step_is_a_key_error():
    with pytest.raises(KeyError):
        parse(step("only")).step("other")


def test_a_pinned_definition_comes_back_the_same():
    sdlc = load_definition("sdlc")
    assert Definition.from_json(sdlc.to_json()) == sdlc
    assert definition_hash(Definition.from_json(sdlc.to_json())) == definition_hash(sdlc)


def test_the_hash_follows_the_meaning_and_not_the_writing():
    plain = parse(step("only", gate="plan"))
    rewritten = parse_definition(f"# A note\n{HEAD}\n" + step("only", gate='"plan"'), "other.yaml")
    changed = parse(step("only", gate="result"))
    assert definition_hash(plain) == definition_hash(rewritten) != definition_hash(changed)
    assert len(definition_hash(plain)) == 64


@pytest.mark.parametrize(
    ("gate", "level", "kind"),
    [
        ("plan", "high", "plan_approval"),
        ("result", "high", "result_approval"),
        ('""', "high", ""),
        ("plan", "medium", ""),
        ("result", "medium", "result_approval"),
        ("plan", "low", ""),
        ("result", "low", ""),
    ],
)
def test_the_oversight_level_decides_which_gates_ask(gate, level, kind):
    assert gate_for(parse(step("only", gate=gate)).step("only"), level) == kind


def test_an_unknown_oversight_level_is_never_taken_for_none():
    with pytest.raises(KeyError):
        gate_for(parse(step("only")).step("only"), "Low")


ONE = step("one")  # lines 5 to 11: id, title, instructions, phase, agent, creates, needs

BAD = {
    "no text": ("", (1, "", "empty")),
    "a list": ("- a", (1, "", "must be a mapping of fields")),
    "steps not a list": (HEAD + "  one: two", (4, "steps", "must be a list")),
    "no steps": (HEAD.replace("steps:", "steps: []"), (4, "steps", "at least one")),
    "a missing field": ("name: tiny\nversion: 1\nsteps:\n" + ONE, (1, "title", "is missing")),
    "a missing field of a step": (
        HEAD + ONE + "  - id: two\n    title: Two\n",
        (12, "steps[1].phase", "is missing"),
    ),
    "an unknown field": (HEAD + step("one", gates="x"), (12, "steps[0].gates", "unknown field")),
    "an unknown phase": (HEAD + step("one", phase="x"), (8, "steps[0].phase", "'discovery'")),
    "an unknown agent": (
        HEAD + step("one", agent="x"),
        (9, "steps[0].agent", "no agent type 'x'; use one of: orchestrator,"),
    ),
    "an unknown artifact": (
        HEAD + step("one", creates="[source_code, poem]"),
        (10, "steps[0].creates[1]", "no artifact type 'poem'; use one of: user_input,"),
    ),
    "nothing created": (HEAD + step("one", creates="[]"), (10, "steps[0].creates", "at least one")),
    "an unknown gate": (HEAD + step("one", gate="maybe"), (12, "steps[0].gate", "'plan'")),
    "a field given twice": (HEAD + ONE + "    id: b\n", (12, "steps[0].id", "given twice")),
    "an id with capitals": (HEAD + step("One"), (5, "steps[0].id", "pattern")),
    "an id that YAML takes for no": (HEAD + step("no"), (5, "steps[0].id", "quotes")),
    "an id twice": (HEAD + ONE + ONE, (12, "steps[1].id", "another step has the id 'one'")),
    "a text for a list": (HEAD + step("one", needs="two"), (11, "steps[0].needs", "list")),
    "a name twice": (
        HEAD + ONE + step("two", needs="[one, one]"),
        (18, "steps[1].needs", "names something twice"),
    ),
    "an unknown need": (HEAD + step("one", needs="[zero]"), (11, "steps[0].needs[0]", "'zero'")),
    "a need of itself": (HEAD + step("one", needs="[one]"), (11, "steps[0].needs", "a cycle")),
    "a cycle": (
        HEAD + step("one", needs="[two]") + step("two", needs="[one]"),
        (11, "steps[0].needs", "a cycle"),
    ),
    "a required type that nobody creates": (
        HEAD + ONE + step("two", requires="[source_code]"),
        (19, "steps[1].requires[0]", "no step that 'two' needs creates 'source_code'"),
    ),
    "a required type from a later step": (
        HEAD + step("one", requires="[source_code]") + step("two", needs="[one]"),
        (12, "steps[0].requires[0]", "creates 'source_code'"),
    ),
    "a revised type from elsewhere": (
        HEAD + ONE + step("two", creates="[test_results]", revises="[source_code]"),
        (19, "steps[1].revises[0]", "neither 'two'"),
    ),
    "a type that people create": (
        HEAD + step("one", creates="[hitl_response]"),
        (10, "steps[0].creates[0]", "from people only"),
    ),
    "a phase out of order": (
        HEAD + ONE + step("two", phase="plan"),
        (15, "steps[1].phase", "'plan' comes before 'build'"),
    ),
    "a need in a later phase": (
        HEAD + step("one", phase="plan", needs="[two]") + step("two"),
        (11, "steps[0].needs[0]", "'two' is in a later phase"),
    ),
    "a rewind to itself": (
        HEAD + step("one", on_fail="{rewind_to: one, max_rounds: 3}"),
        (12, "steps[0].on_fail.rewind_to", "'one' is not a step that 'one' needs"),
    ),
    "a rewind to another branch": (
        HEAD + ONE + step("two", on_fail="{rewind_to: one, max_rounds: 3}"),
        (19, "steps[1].on_fail.rewind_to", "not a step that 'two' needs"),
    ),
    "no rounds": (
        HEAD + ONE + step("two", needs="[one]", on_fail="{rewind_to: one, max_rounds: 0}"),
        (19, "steps[1].on_fail.max_rounds", "greater than or equal to 1"),
    ),
    "too many rounds": (
        HEAD + ONE + step("two", needs="[one]", on_fail="{rewind_to: one, max_rounds: 11}"),
        (19, "steps[1].on_fail.max_rounds", "less than or equal to 10"),
    ),
    "rounds as text": (
        HEAD + ONE + step("two", needs="[one]", on_fail='{rewind_to: one, max_rounds: "3"}'),
        (19, "steps[1].on_fail.max_rounds", "integer"),
    ),
    "a version with a point": ("name: tiny\nversion: 1.5\n", (2, "version", "whole number")),
    "blank instructions": (
        HEAD + ONE.replace("Do it.", '"  "'),
        (7, "steps[0].instructions", "at least 1 character"),
    ),
    "not YAML": ("name: tiny\nsteps: [", (2, "", "not YAML")),
    "a tab": ("name: tiny\n\tversion: 1", (2, "", "not YAML")),
    "a control character": ("name: tiny\ntitle: \x07", (2, "", "not YAML")),
    "an escaped control character": ('name: tiny\ntitle: "\\0"', (2, "title", "control")),
    "half a character": ('name: tiny\ntitle: "\\ud800"', (2, "title", "half of a character")),
    "two documents": ("name: tiny\n---\nname: other\n", (2, "", "not YAML")),
    "a Python object": (
        "name: tiny\ntitle: !!python/object/apply:os.getcwd []",
        (2, "title", "unknown tag"),
    ),
    "an alias": ("name: &a tiny\ntitle: *a", (2, "", "aliases are not allowed")),
    "a merge": ("name: tiny\n<<: {version: 1}", (2, "", "a field name must be text")),
    "a list as a field name": ("name: tiny\n? [a]\n: b", (2, "", "a field name must be text")),
    "too deep": ("[" * 20_000, (1, "", "nested too deeply")),
    "too long": ("#" * 200_001, (1, "", "longer than 200,000 characters")),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_definition_names_line_path_and_fault(case):
    text, (line, path, detail) = BAD[case]
    found = [error for error in errors_of(text) if error[:2] == (line, path)]
    assert found, errors_of(text)
    assert detail in found[0][2]


def test_all_errors_are_told_at_once_in_the_order_of_the_text():
    found = errors_of(HEAD + step("one", phase="x", agent="y") + step("two", gate="z"))
    assert [path for _, path, _ in found] == ["steps[0].phase", "steps[0].agent", "steps[1].gate"]


def test_the_message_reads_like_that_of_a_compiler():
    with pytest.raises(DefinitionError, match=r"tiny\.yaml:11: steps\[0\]\.needs\[0\]: there is"):
        parse(step("one", needs="[zero]"))
