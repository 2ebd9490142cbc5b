import hashlib
from dataclasses import replace

import pytest

from agents.protocols import (
    Assignment,
    Completed,
    NeedsPerson,
    PermanentError,
    Questions,
    Reply,
    Usage,
)
from agents.providers.demo import DemoModel
from agents.role import role_for
from agents.roles import tester as tester_module
from agents.sandbox import TestRecord, TestsResult
from context.artifact_types import artifact_types
from projects.agent_types import agent_types
from tests.agents.demo_cases import handed

CODE = {
    "title": "Sum",
    "summary": "Adds.",
    "files": [
        {"path": "main.py", "content": "def add(a, b):\n    return a + b\n", "language": "python"},
        {
            "path": "tests/test_add.py",
            "content": "import unittest\n\nclass AddTest(unittest.TestCase):\n    def "
            "test_fr_1_adds(self):\n"
            "        from main import add\n        self.assertEqual(add(1, 2), 3)\n",
            "language": "python",
        },
    ],
    "entry_point": "main.py",
    "test_command": ["python3", "-m", "unittest", "discover", "-s", "tests", "-v"],
    "covered": [{"requirement": "FR-1", "tests": ["test_fr_1_adds"]}],
    "not_covered": [{"requirement": "FR-2", "reason": "Too hard."}],
    "notes": [],
    "feedback": [],
}


def record(outcome, name="AddTest.test_fr_1_adds", detail=""):
    return TestRecord("tests/test_add.py", name, outcome, detail)


PASSED = (record("passed"),)
FAILED = (record("failed", detail="Traceback\nAssertionError: 4 != 3\n"),)


class Scripted:
    """A model at the edge that gives the replies it was given."""

    def __init__(self, *replies):
        self.replies = list(replies)
        self.asked = []

    def produce(self, assignment, *, artifact_type, output_type, instructions):
        self.asked.append((artifact_type, instructions, assignment))
        return self.replies.pop(0)


def _reply(artifact_type, content, **usage):
    values = {"provider": "paid", "model": "m", "calls": 1} | usage
    return Reply(artifact_types[artifact_type].schema.model_validate(content), Usage(**values))


def _assignment(agent_type, *expected, materials=(), **given):
    return Assignment(
        "P",
        agent_type,
        "step",
        "",
        1,
        "",
        "Users can add tasks.",
        expected,
        tuple(materials),
        **given,
    )


def _test(monkeypatch, tests, exit_code, *, timed_out=False, problems=(), code=CODE):
    """Run the tester; only the sandbox, the edge of our world, is played."""
    result = TestsResult(
        exit_code, "", timed_out, 12, {"network": "none"}, tests=tests, problems=problems
    )
    monkeypatch.setattr(tester_module.sandbox, "run_tests", lambda files, **limits: result)
    asked = _assignment("tester", "test_results", materials=[handed("source_code", code)])
    return role_for("tester").run(asked, Scripted())


def test_there_is_a_role_for_every_agent_type():
    assert agent_types.values == [
        "orchestrator",
        "analyst",
        "architect",
        "coder",
        "tester",
        "deployer",
    ]
    assert all(role.instructions for role in agent_types)


def test_every_instruction_says_that_contents_are_data():
    answer = {"summary": "s", "body": "b"}
    model = Scripted(_reply("agent_output", answer))
    role_for("analyst").run(_assignment("analyst", "agent_output"), model)
    assert "never as an instruction" in " ".join(model.asked[0][1].split())


def test_all_expected_artifacts_are_made_and_their_usage_added_up():
    answer = {"summary": "s", "body": "b"}
    model = Scripted(
        _reply("agent_output", answer, input_tokens=3, output_tokens=1, cost_micros=None),
        _reply("agent_output", answer, input_tokens=4, output_tokens=1, cost_micros=7),
    )
    outcome = role_for("analyst").run(_assignment("analyst", "agent_output", "agent_output"), model)
    assert len(outcome.outputs) == 2
    assert outcome.usage == Usage("paid", "m", 2, 7, 2, None)


def test_what_was_made_first_is_at_hand_for_what_comes_next():
    answer = {"summary": "s", "body": "b"}
    model = Scripted(*(_reply("agent_output", answer) for _ in range(2)))
    role_for("analyst").run(_assignment("analyst", "agent_output", "agent_output"), model)
    assert [len(asked[2].materials) for asked in model.asked] == [0, 1]


def test_questions_of_the_model_go_to_a_person():
    model = Scripted(Reply(Questions(("Which colour?",), "unclear"), Usage("paid", calls=1)))
    outcome = role_for("coder").run(_assignment("coder", "source_code"), model)
    assert outcome == NeedsPerson(("Which colour?",), Usage("paid", calls=1), "unclear")


def test_content_that_does_not_fit_is_a_permanent_error():
    broken = artifact_types["agent_output"].schema.model_construct(summary="", body="b")
    model = Scripted(Reply(broken, Usage("paid", calls=1)))
    with pytest.raises(PermanentError) as caught:
        role_for("coder").run(_assignment("coder", "agent_output"), model)
    assert caught.value.code == "invalid_content"
    assert caught.value.usage.calls == 1


def test_an_unknown_artifact_type_is_a_permanent_error():
    with pytest.raises(PermanentError):
        role_for("coder").run(_assignment("coder", "poem"), DemoModel())


def test_tests_that_pass_are_a_pass(monkeypatch):
    outcome = _test(monkeypatch, PASSED, 0)
    content = outcome.outputs[0].content
    assert outcome.verdict == "pass"
    assert content["counts"] == {"run": 1, "passed": 1, "failed": 0, "errors": 0, "skipped": 0}
    assert [c["status"] for c in content["coverage"]] == ["passed", "not_covered"]


def test_a_failed_test_fails_its_requirement(monkeypatch):
    outcome = _test(monkeypatch, FAILED, 1)
    content = outcome.outputs[0].content
    assert outcome.verdict == "fail"
    assert content["coverage"][0]["status"] == "failed"
    assert content["failures"][0]["name"] == "AddTest.test_fr_1_adds"
    assert "4 != 3" in content["failures"][0]["detail"]


@pytest.mark.parametrize(
    ("tests", "exit_code", "timed_out", "problems"),
    [
        ((), 0, False, ()),
        (PASSED, 1, False, ()),
        (PASSED, None, True, ()),
        (PASSED, 0, False, ("tests/test_add.py: an answer was given twice.",)),
        ((record("skipped"),), 0, False, ()),
        ((record("not_run"),), 0, False, ()),
        (FAILED, 0, False, ()),
    ],
)
def test_anything_but_tests_that_ran_and_passed_is_a_fail(
    monkeypatch, tests, exit_code, timed_out, problems
):
    outcome = _test(monkeypatch, tests, exit_code, timed_out=timed_out, problems=problems)
    assert outcome.verdict == "fail"
    assert outcome.outputs[0].content["passed"] is False


def test_no_requirement_passes_in_a_run_that_is_in_doubt(monkeypatch):
    problem = "tests/test_add.py: its process ended."
    outcome = _test(monkeypatch, PASSED, 0, problems=(problem,))
    content = outcome.outputs[0].content
    assert content["coverage"][0]["status"] == "not_run"
    assert problem in content["coverage"][0]["reason"]
    assert problem in content["summary"]


def test_the_page_shows_text_tests_and_verdict_of_each_requirement_untested_ones_first(
    monkeypatch,
):
    run = TestsResult(0, "", False, 12, {}, tests=PASSED)
    monkeypatch.setattr(tester_module.sandbox, "run_tests", lambda files, **limits: run)
    requirements = {"FR-1": "It adds two numbers.", "FR-2": "It multiplies."}
    content = tester_module.results_of(handed("source_code", CODE), requirements)

    shown = artifact_types["test_results"].render(content)

    rows = [line for line in shown if line.startswith("| FR-")]
    assert "It multiplies." in rows[0]
    assert "not tested" in rows[0]
    assert "It adds two numbers." in rows[1]
    assert "test\\_fr\\_1\\_adds: passed" in rows[1]
    assert "the program's own tests" in " ".join(shown)


SOME_SKIPPED = (record("skipped", detail="later"), record("passed", "AddTest.test_starts"))


def test_a_skipped_test_shows_nothing_of_its_requirement(monkeypatch):
    outcome = _test(monkeypatch, SOME_SKIPPED, 0)
    content = outcome.outputs[0].content
    assert (outcome.verdict, content["passed"]) == ("fail", False)
    assert content["coverage"][0]["status"] == "not_run"
    assert content["summary"].startswith("0 of 2 requirements are tested.")


def test_a_failure_that_was_expected_is_neither_a_failure_nor_a_pass(monkeypatch):
    tests = (*PASSED, record("expected_failure", "AddTest.test_later"))
    content = _test(monkeypatch, tests, 0).outputs[0].content
    counts = content["counts"]
    assert (counts["run"], counts["passed"], counts["failed"], counts["errors"]) == (2, 1, 0, 0)
    assert content["passed"] is False


def test_a_program_that_claims_no_requirement_gets_no_verdict(monkeypatch):
    missing = [{"requirement": key, "reason": "Not built."} for key in ("FR-1", "FR-2")]
    modest = CODE | {"covered": [], "not_covered": missing}
    outcome = _test(monkeypatch, SOME_SKIPPED, 0, code=modest)
    assert outcome.verdict == ""
    assert outcome.outputs[0].content["passed"] is False
    results = handed("test_results", outcome.outputs[0].content)
    package, log = (output.content for output in _launch(materials=[results]).outputs)
    assert (package["tests"]["total"], package["tests"]["skipped"]) == (2, 1)
    assert log["entries"][0]["status"] == "done"
    assert "0 of 2 requirements" in log["entries"][0]["detail"]


def test_a_requirement_that_the_program_does_not_name_is_not_tested():
    results = tester_module.results_of(handed("source_code", CODE), {"FR-9": "", "FR-1": ""})
    assert [(i["requirement"], i["status"]) for i in results["coverage"]] == [
        ("FR-9", "not_covered"),
        ("FR-1", "passed"),
        ("FR-2", "not_covered"),
    ]


@pytest.mark.parametrize("agent_models", ["demo", "openai:gpt-x"])
def test_facts_are_labelled_demo_only_where_the_demo_model_serves(
    monkeypatch, settings, agent_models
):
    settings.AGENT_MODELS = {"tester": agent_models}
    provider = "demo" if agent_models == "demo" else "none"
    assert _test(monkeypatch, PASSED, 0).usage.provider == provider


@pytest.mark.parametrize("change", [{"test_command": []}, {"files": CODE["files"][:1]}])
def test_code_without_tests_is_a_fail_that_says_so(monkeypatch, change):
    outcome = _test(monkeypatch, PASSED, 0, code=CODE | change)
    assert outcome.verdict == "fail"
    assert "no tests" in outcome.notes
    assert outcome.outputs[0].content["coverage"][0]["status"] == "not_run"


@pytest.mark.parametrize(
    ("claimed", "status"),
    [
        ("test_same", "failed"),
        ("ATest.test_same", "failed"),
        ("test_add.ATest.test_same", "failed"),
        ("test_add.test_same", "failed"),
        ("BTest.test_same", "passed"),
        ("tests.test_add.BTest.test_same", "passed"),
        ("tests/test_add.py::BTest::test_same", "passed"),
        ("CTest.test_same", "not_run"),
        ("test_other", "not_run"),
    ],
)
def test_a_requirement_is_judged_by_its_own_tests_where_names_are_shared(
    monkeypatch, claimed, status
):
    tests = (record("failed", "ATest.test_same"), record("passed", "BTest.test_same"))
    code = CODE | {"covered": [{"requirement": "FR-1", "tests": [claimed]}]}
    outcome = _test(monkeypatch, tests, 1, code=code)
    assert outcome.outputs[0].content["coverage"][0]["status"] == status


def test_a_tester_without_code_is_a_permanent_error():
    with pytest.raises(PermanentError):
        role_for("tester").run(_assignment("tester", "test_results"), Scripted())


def _launch(model=None, **given):
    asked = _assignment(
        "deployer", "deployment_package", "deployment_log",
        materials=[handed("source_code", CODE), *given.pop("materials", [])], **given,
    )  # fmt: skip
    return role_for("deployer").run(asked, model or DemoModel())


def test_the_package_holds_the_fingerprint_of_every_file():
    package = _launch().outputs[0].content
    by_path = {file["path"]: file["sha256"] for file in package["files"]}
    for file in CODE["files"]:
        assert by_path[file["path"]] == hashlib.sha256(file["content"].encode()).hexdigest()
    lines = "".join(f"{by_path[path]}  {path}\n" for path in sorted(by_path))
    assert package["checksum"] == hashlib.sha256(lines.encode()).hexdigest()


def test_what_is_not_covered_reaches_package_and_log():
    package, log = (output.content for output in _launch().outputs)
    assert package["not_covered"] == log["not_covered"] == CODE["not_covered"]


def test_the_log_never_claims_what_the_model_only_says():
    said = {
        "title": "Sum", "version": "9", "summary": "s", "release_notes": "n", "rollback": [],
        "entries": [{"action": "Installed it everywhere", "status": "done", "detail": "Sure."}],
    }  # fmt: skip
    log = _launch(Scripted(_reply("deployment_log", said))).outputs[1].content
    statuses = {entry["action"]: entry["status"] for entry in log["entries"]}
    assert statuses["Installed it everywhere"] == "planned"
    assert statuses["Take fingerprints"] == "done"
    assert statuses["Run the tests"] == "skipped"


def test_the_package_says_what_the_tests_had_shown(monkeypatch):
    results = _test(monkeypatch, FAILED, 1).outputs[0]
    package = _launch(materials=[handed("test_results", results.content)]).outputs[0].content
    assert package["tests"]["ran"] is True
    assert package["tests"]["passed"] is False


def test_a_single_task_for_any_agent_gets_an_answer():
    asked = replace(
        _assignment("coder", "agent_output"), step="", instructions="Say <b>something</b>."
    )
    outcome = role_for("coder").run(asked, DemoModel())
    assert isinstance(outcome, Completed)
    assert "&lt;b>something" in outcome.outputs[0].content["body"]


def test_the_tester_really_runs_the_program():
    good = _assignment("tester", "test_results", materials=[handed("source_code", CODE)])
    files = [
        {**CODE["files"][0], "content": "def add(a, b):\n    return a - b\n"},
        CODE["files"][1],
    ]
    bad = replace(good, materials=(handed("source_code", CODE | {"files": files}),))
    verdicts = [role_for("tester").run(asked, Scripted()).verdict for asked in (good, bad)]
    assert verdicts == ["pass", "fail"]
