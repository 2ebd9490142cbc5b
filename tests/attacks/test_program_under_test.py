"""A program that wants its tests to have passed: what it does about it, and what catches it."""

import pytest

from agents.roles.tester import results_of
from agents.sandbox import run_program
from tests.agents.demo_cases import handed
from tests.attacks.sandboxes import LIMITS, run_tests, weaken

TEST = """
import os, sys, unittest
{before}
class SumTest(unittest.TestCase):
    def test_fr_1_adds(self):
        {first}
    def test_fr_2_subtracts(self):
        self.assertEqual(3 - 1, {second})
"""
FORGED_OUTPUT = (
    "print('test_fr_1_adds (test_sum.SumTest.test_fr_1_adds) ... ok');"
    "print('test_fr_2_subtracts (test_sum.SumTest.test_fr_2_subtracts) ... ok');"
    "print('\\n' + '-' * 70 + '\\nRan 2 tests in 0.001s\\n\\nOK', flush=True); os._exit(0)"
)
# Writes to whatever is open, before anything was asked.
FORGED_ANSWERS = """
import json
names = ["test_fr_1_adds", "test_fr_2_subtracts"]
answers = [{"found": [["SumTest", n] for n in names], "is_ours": True}]
answers += [{"outcome": "passed"}, {"outcome": "passed"}, {}]
text = b"".join(
    json.dumps({**a, "nonce": "0" * 32, "process": os.getpid()}).encode() + b"\\n" for a in answers
)
for descriptor in range(3, 64):
    try:
        os.write(descriptor, text)
    except OSError:
        pass
os._exit(0)
"""
NO_ASSERTIONS = "unittest.TestCase.assertEqual = lambda *arguments: None"
NO_FAILURES = """
import unittest.case
class Kind(unittest.case._Outcome):
    def testPartExecutor(self, test_case, subTest=False):
        import contextlib
        return contextlib.suppress(Exception)
unittest.case._Outcome = Kind
"""
HARMLESS = "import unittest\nclass T(unittest.TestCase):\n    def test_b(self): pass\n"
REWRITES = f"open('tests/test_b.py', 'w').write({HARMLESS!r})"


def program(before="", first="self.assertEqual(1 + 2, 3)", second=2):
    return {"tests/test_sum.py": TEST.format(before=before, first=first, second=second)}


def test_an_honest_program_passes():
    result = run_tests(program())
    assert (result.exit_code, result.problems) == (0, ())
    assert [test.outcome for test in result.tests] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        pytest.param({"before": FORGED_OUTPUT}, "ended", id="prints OK when it is loaded"),
        pytest.param({"first": FORGED_OUTPUT}, "ended", id="prints OK in its first test"),
        pytest.param({"first": "os._exit(0)"}, "exit code 0", id="leaves"),
        pytest.param({"first": "os.kill(os.getpid(), 9)"}, "", id="kills itself"),
        pytest.param({"first": "os.closerange(3, 64)"}, "process", id="hangs up"),
        pytest.param({"before": FORGED_ANSWERS}, "forged", id="answers what nobody asked"),
        pytest.param({"before": NO_ASSERTIONS}, "assertEqual", id="replaces an assertion"),
        pytest.param({"before": NO_FAILURES}, "_Outcome", id="replaces the catching of failures"),
        pytest.param({"first": "os.fork()"}, "", id="goes on twice"),
        pytest.param(
            {"before": "import atexit; atexit.register(os._exit, 7)"}, "7", id="ends badly"
        ),
        pytest.param(
            {"before": "def load_tests(*a): return unittest.TestSuite()"}, "load_tests", id="none"
        ),
    ],
)
def test_a_program_that_cheats_does_not_pass_and_the_result_says_why(attack, reason):
    result = run_tests(program(**{"second": 9} | attack))

    assert result.exit_code != 0
    assert len(result.tests) == 2
    assert reason in " ".join(result.problems)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("", "broke off"),
        ("sys.modules['unittest'].TestCase.run = lambda *a, **k: None", "run"),
    ],
)
def test_a_program_that_never_comes_to_its_end_does_not_pass(before, reason):
    files = program(before=before, first="import time; time.sleep(60)")
    result = run_tests(files, seconds=2)
    assert result.exit_code != 0
    assert reason in " ".join(result.problems)


CLASS = "import unittest\nclass T(unittest.TestCase):\n    {}\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            CLASS.format("def test_a(self): self.fail()\n    def test_a(self): pass"),
            "written 2 times",
        ),
        (CLASS.format("def test_a(self): self.fail()") + "del T.test_a\n", ""),
        (CLASS.format("def test_a(self): pass") + "T.test_b = T.test_a\n", "T.test_b"),
        (CLASS.format("def test_a(self): self.fail(") + "\n", "not readable"),
        (CLASS.format("async def test_a(self): self.fail()"), ""),
        (CLASS.format("def test_a(self):\n        yield\n        self.fail()"), ""),
        ("class T:\n    def test_a(self): pass\n", ""),
        (CLASS.format("def test_a(self): pass") + "raise SystemExit(0)\n", ""),
    ],
)
def test_a_test_that_is_missing_doubled_or_never_run_is_a_failure(text, reason):
    result = run_tests({"tests/test_a.py": text})
    assert result.exit_code != 0
    assert reason in " ".join(result.problems)
    assert result.problems or {test.outcome for test in result.tests} == {"error"}


def test_one_file_of_tests_cannot_change_another():
    result = run_tests(two_files())
    assert [test.outcome for test in result.tests] == ["passed", "failed"]


def two_files():
    return {
        "tests/test_a.py": CLASS.format(f"def test_a(self): {REWRITES}"),
        "tests/test_b.py": CLASS.format("def test_b(self): self.fail()"),
    }


def test_the_report_says_whose_tests_they_are_and_nothing_passes():
    code = {
        "files": [
            {"path": path, "content": text, "language": "python"}
            for path, text in program(before=FORGED_OUTPUT, second=9).items()
        ],
        "test_command": ["python3", "-m", "unittest", "discover", "-s", "tests", "-v"],
        "covered": [{"requirement": "FR-1", "tests": ["test_fr_1_adds"]}],
        "not_covered": [],
    }
    results = results_of(handed("source_code", code), {"FR-1": "It adds."})
    assert results["passed"] is False
    assert results["counts"]["passed"] == 0
    assert results["coverage"][0]["status"] != "passed"
    assert "ended" in results["summary"]


def test_control_by_its_output_the_forged_run_has_passed():
    """What is believed where the output is read, as `unittest` prints it."""
    command = ("python3", "-m", "unittest", "discover", "-s", "tests", "-v")
    result = run_program(program(before=FORGED_OUTPUT, second=9), command=command, **LIMITS)
    assert result.exit_code == 0
    assert result.output.endswith("Ran 2 tests in 0.001s\n\nOK\n")


def test_control_without_the_word_that_cannot_be_guessed_forged_answers_pass(monkeypatch, tmp_path):
    unasked = "if self.unread or self._is_readable(0):\n            raise Broken"
    weaken(
        monkeypatch,
        tmp_path,
        ("protocol.py", 'if answer.get("nonce") != nonce:', "if False:"),
        ("protocol.py", unasked, "if False:\n            raise Broken"),
        ("protocol.py", 'raise Broken(f"Too early {self.ending()}") from None', "pass"),
    )
    result = run_tests(program(before=FORGED_ANSWERS, second=9))
    assert (result.exit_code, result.problems) == (0, ())
    assert {test.outcome for test in result.tests} == {"passed"}


@pytest.mark.parametrize("before", [NO_ASSERTIONS, NO_FAILURES])
def test_control_where_nobody_looks_at_the_test_library_no_test_fails(
    monkeypatch, tmp_path, before
):
    weaken(
        monkeypatch,
        tmp_path,
        ("protocol.py", 'answer.get("changed") or []', "[]"),
    )
    result = run_tests(program(before=before, second=9))
    assert result.problems == ()
    assert "failed" not in {test.outcome for test in result.tests}


def test_control_on_a_folder_that_is_not_renewed_the_other_file_is_changed(monkeypatch, tmp_path):
    weaken(
        monkeypatch,
        tmp_path,
        (
            "__main__.py",
            'for module in listed["modules"]:\n        jail.renew()',
            'for module in listed["modules"]:',
        ),
    )
    result = run_tests(two_files())
    assert [test.outcome for test in result.tests] == ["passed", "passed"]
