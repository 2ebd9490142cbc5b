"""Runs the tests of the program, in isolation: facts, in which no model has a say."""

import re
from collections.abc import Mapping
from typing import Any

from agents import sandbox
from agents.protocols import Assignment, Completed, Material, Model, Outcome, Usage
from agents.role import checked, needed, role, titled
from projects.enums import Phase

TIMEOUT_SECONDS = 60.0
MEMORY_MEGABYTES = 512
MAX_OUTPUT = 200_000

_LINE = re.compile(
    r"^(?P<name>\w+) \((?P<where>[\w.]+)\)(?:\n.*)? \.\.\. (?P<outcome>ok|FAIL|ERROR|skipped.*|"
    r"expected failure)$",
    re.MULTILINE,
)
_TRACE = re.compile(
    r"^(FAIL|ERROR): (\w+)[^\n]*\n-{20,}\n(.*?)(?=^={20,}|^-{20,}\nRan|\Z)", re.M | re.S
)
_RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_FACTS = Usage("offline", "sandbox", calls=0, input_tokens=0, output_tokens=0, cost_micros=0)


@role("tester", phase=Phase.VALIDATE)
class Tester:
    """Verdict pass only if tests ran, all of them passed and the run ended by itself with 0."""

    instructions = """\
You judge a program by really running its tests in isolation. You report what happened: the
command, the exit code, the output, and for each requirement whether its tests passed. You never
report a result that you have not seen.
"""

    def run(self, assignment: Assignment, model: Model) -> Outcome:
        """Run the tests of the newest source code. Raises PermanentError if there is none."""
        code = needed(assignment, "source_code")
        content = checked("test_results", results_of(code), _FACTS)
        verdict = "pass" if content["passed"] else "fail"
        return Completed((titled("test_results", content),), _FACTS, verdict, content["summary"])


def results_of(code: Material) -> dict[str, Any]:
    """The content of the test results of a version of source code."""
    if not has_tests(code.content):
        return _nothing_ran(code, "The source code has no tests: nothing shows that it works.")
    files = {file["path"]: file["content"] for file in code.content["files"]}
    run = sandbox.run_tests(
        files,
        command=("python3", *code.content["test_command"][1:]),
        timeout_seconds=TIMEOUT_SECONDS,
        memory_megabytes=MEMORY_MEGABYTES,
    )
    return _seen(code, run)


def has_tests(content: Mapping[str, Any]) -> bool:
    """Whether there is a command, and a file with a test in it."""
    tests = (
        f
        for f in content["files"]
        if re.search(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$", f["path"])
    )
    return bool(content["test_command"]) and any(
        re.search(r"def test", f["content"]) for f in tests
    )


def _seen(code: Material, run: sandbox.SandboxResult) -> dict[str, Any]:
    outcomes = {match["name"]: match["outcome"] for match in _LINE.finditer(run.output)}
    counts = _counts(run.output, outcomes)
    passed = run.exit_code == 0 and not run.timed_out and counts["run"] > counts["skipped"]
    passed = passed and not counts["failed"] and not counts["errors"]
    return {
        "summary": _summary(run, counts, passed),
        "command": " ".join(code.content["test_command"]),
        "exit_code": run.exit_code,
        "passed": passed,
        "timed_out": run.timed_out,
        "counts": counts,
        "failures": _failures(run.output),
        "output": _cut(run.output),
        "duration_ms": run.duration_ms,
        "isolation": {str(key)[:300]: str(value)[:300] for key, value in run.isolation.items()},
        "coverage": _coverage(code.content, outcomes),
        "source_sha256": code.sha256,
    }


def _counts(output: str, outcomes: Mapping[str, str]) -> dict[str, int]:
    ran = _RAN.findall(output)
    run = int(ran[-1]) if ran else 0
    last = output[output.rfind("Ran ") :] if ran else ""
    failed, errors, skipped = (_figure(name, last) for name in ("failures", "errors", "skipped"))
    passed = max(run - failed - errors - skipped, 0)
    return {"run": run, "passed": passed, "failed": failed, "errors": errors, "skipped": skipped}


def _figure(name: str, text: str) -> int:
    match = re.search(rf"\b{name}=(\d+)", text)
    return int(match[1]) if match else 0


def _failures(output: str) -> list[dict[str, str]]:
    names = {"FAIL": "failed", "ERROR": "error"}
    return [
        {
            "name": name[:300],
            "outcome": names[kind],
            "detail": trace.strip()[-5000:] or "(no traceback)",
        }
        for kind, name, trace in _TRACE.findall(output)
    ][:200]


def _coverage(content: Mapping[str, Any], outcomes: Mapping[str, str]) -> list[dict[str, Any]]:
    covered = [_judged(item, outcomes) for item in content["covered"]]
    missing = [
        {
            "requirement": item["requirement"],
            "status": "not_covered",
            "tests": [],
            "reason": item["reason"],
        }
        for item in content["not_covered"]
    ]
    return [*covered, *missing]


def _judged(item: Mapping[str, Any], outcomes: Mapping[str, str]) -> dict[str, Any]:
    seen = {name: outcomes.get(name.rsplit(".", 1)[-1], "") for name in item["tests"]}
    bad = [name for name, outcome in seen.items() if outcome in ("FAIL", "ERROR")]
    silent = [name for name, outcome in seen.items() if outcome != "ok" and name not in bad]
    status = "failed" if bad else "not_run" if silent or not seen else "passed"
    reason = f"Did not pass: {', '.join(bad)}" if bad else ""
    if status == "not_run":
        reason = f"Did not run: {', '.join(silent)}" if silent else "There is no test for it."
    return {
        "requirement": item["requirement"],
        "status": status,
        "tests": item["tests"],
        "reason": reason,
    }


def _summary(run: sandbox.SandboxResult, counts: Mapping[str, int], passed: bool) -> str:
    if run.timed_out:
        return f"The tests did not end within {TIMEOUT_SECONDS:.0f} seconds."
    if not counts["run"]:
        return f"No test ran (exit code {run.exit_code})."
    figures = f"{counts['run']} tests ran: {counts['passed']} passed, {counts['failed']} failed, "
    figures += f"{counts['errors']} broke off, {counts['skipped']} were skipped."
    return figures if passed or run.exit_code else f"{figures} That is no pass."


def _nothing_ran(code: Material, why: str) -> dict[str, Any]:
    return {
        "summary": why,
        "command": "",
        "exit_code": None,
        "passed": False,
        "timed_out": False,
        "counts": {"run": 0, "passed": 0, "failed": 0, "errors": 0, "skipped": 0},
        "failures": [],
        "output": "",
        "duration_ms": 0,
        "isolation": {},
        "coverage": _coverage(code.content, {}),
        "source_sha256": code.sha256,
    }


def _cut(output: str) -> str:
    if len(output) <= MAX_OUTPUT:
        return output
    half = MAX_OUTPUT // 2
    return (
        f"{output[:half]}\n[... {len(output) - MAX_OUTPUT} characters left out "
        f"...]\n{output[-half:]}"
    )
