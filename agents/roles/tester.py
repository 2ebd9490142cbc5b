"""Runs the tests of the program, in isolation: facts, in which no model has a say."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents import sandbox
from agents.protocols import Assignment, Completed, Material, Model, Outcome
from agents.role import checked, needed, role, titled, usage_of_facts
from context.types.test_results import tested_of
from projects.enums import Phase

TIMEOUT_SECONDS = 60.0
MEMORY_MEGABYTES = 512
MAX_OUTPUT = 200_000

_LINE = re.compile(
    r"^\w+ \((?P<where>\w+(?:\.\w+)+)\)(?:\n.*)? \.\.\. (?P<outcome>ok|FAIL|ERROR|skipped.*|"
    r"expected failure)$",
    re.MULTILINE,
)
_TRACE = re.compile(
    r"^(FAIL|ERROR): (\w+)[^\n]*\n-{20,}\n(.*?)(?=^={20,}|^-{20,}\nRan|\Z)", re.M | re.S
)
_RAN = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
NOTHING_RAN = {
    "summary": "The source code has no tests: nothing shows that it works.",
    "command": "",
    "exit_code": None,
    "passed": False,
    "timed_out": False,
    "counts": {"run": 0, "passed": 0, "failed": 0, "errors": 0, "skipped": 0},
    "failures": [],
    "output": "",
    "duration_ms": 0,
    "isolation": {},
}


@role("tester", phase=Phase.VALIDATE)
class Tester:
    """The verdict is about requirements that a test exercised; a skipped test shows nothing."""

    # It counts for no model's limit.
    calls_model = False
    instructions = """\
You judge a program by really running its tests in isolation. You report what happened: the
command, the exit code, the output, and for each requirement whether its tests passed. You never
report a result that you have not seen.
"""

    def run(self, assignment: Assignment, model: Model) -> Outcome:
        """Run the tests of the newest source code. Raises PermanentError if there is none."""
        code = needed(assignment, "source_code")
        specification = assignment.newest("software_specification")
        requirements = specification.content["requirements"] if specification else []
        usage = usage_of_facts(self.agent_type)
        results = results_of(code, [item["id"] for item in requirements])
        content = checked("test_results", results, usage)
        output = titled("test_results", content | {"title": code.content["title"]})
        output = replace(output, content=content)
        return Completed((output,), usage, verdict_of(code.content, content), content["summary"])


def verdict_of(code: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """`pass` needs a requirement whose tests passed.

    A program that runs well and claims no requirement gets no verdict: there is nothing to judge,
    and a person decides.
    """
    if not ran_well(results):
        return "fail"
    if not code["covered"]:
        return ""
    return "pass" if any(item["status"] == "passed" for item in results["coverage"]) else "fail"


def ran_well(results: Mapping[str, Any]) -> bool:
    """Whether some tests were run, to their end, and none of them failed."""
    counts = results["counts"]
    is_ended = results["exit_code"] == 0 and not results["timed_out"]
    is_clean = not counts["failed"] and not counts["errors"]
    return is_ended and is_clean and counts["run"] > counts["skipped"]


def results_of(code: Material, requirements: Sequence[str] = ()) -> dict[str, Any]:
    """The content of the test results of a version of source code, for all the requirements."""
    if not has_tests(code.content):
        return NOTHING_RAN | {
            "coverage": _coverage(code.content, requirements, {}),
            "source_sha256": code.sha256,
        }
    run = sandbox.run_tests(
        {file["path"]: file["content"] for file in code.content["files"]},
        command=("python3", *code.content["test_command"][1:]),
        timeout_seconds=TIMEOUT_SECONDS,
        memory_megabytes=MEMORY_MEGABYTES,
    )
    counts = _counts(run.output)
    coverage = _coverage(code.content, requirements, _outcomes(run.output))
    is_clean = run.exit_code == 0 and not run.timed_out
    return {
        "summary": _summary(run, counts, coverage),
        "command": " ".join(code.content["test_command"]),
        "exit_code": run.exit_code,
        "passed": is_clean and 0 < counts["passed"] == counts["run"],
        "timed_out": run.timed_out,
        "counts": counts,
        "failures": _failures(run.output),
        "output": _cut(run.output),
        "duration_ms": run.duration_ms,
        "isolation": {str(key)[:300]: str(value)[:300] for key, value in run.isolation.items()},
        "coverage": coverage,
        "source_sha256": code.sha256,
    }


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


def _counts(output: str) -> dict[str, int]:
    ran = _RAN.findall(output)
    run = int(ran[-1]) if ran else 0
    last = output[output.rfind("Ran ") :] if ran else ""
    figures: dict[str, int] = defaultdict(int)
    for name, figure in re.findall(r"((?:un)?expected \w+|failures|errors|skipped)=(\d+)", last):
        figures[name] += int(figure)
    failed = figures["failures"] + figures["unexpected successes"]
    errors, skipped = figures["errors"], figures["skipped"]
    # A failure that was expected is neither a failure nor a pass.
    passed = max(run - failed - errors - skipped - figures["expected failures"], 0)
    return {"run": run, "passed": passed, "failed": failed, "errors": errors, "skipped": skipped}


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


def _outcomes(output: str) -> dict[str, set[str]]:
    """By each name that stands for a test, what came of all tests of that name.

    A test is named by its function, alone or after its class, its module or both.
    """
    outcomes: dict[str, set[str]] = defaultdict(set)
    for match in _LINE.finditer(output):
        *module, case, function = match["where"].split(".")[-3:]
        last = {function, f"{case}.{function}"}
        for name in last | {f"{part}.{end}" for part in module for end in last}:
            outcomes[name].add(match["outcome"])
    return outcomes


def _coverage(
    content: Mapping[str, Any], requirements: Sequence[str], outcomes: Mapping[str, set[str]]
) -> list[dict[str, Any]]:
    """Each requirement of the specification, and those that the program itself names."""
    results = {}
    for item in content["covered"]:
        # The status by the tests that the program names; of several with one name, all count.
        tests = {n: outcomes.get(".".join(n.split(".")[-3:]), set()) for n in item["tests"]}
        failed = [name for name, seen in tests.items() if seen & {"FAIL", "ERROR"}]
        not_run = [n for n, seen in tests.items() if seen != {"ok"} and n not in failed]
        status, reason = "passed", ""
        if failed:
            status, reason = "failed", f"Did not pass: {', '.join(failed)}"
        elif not_run:
            status, reason = "not_run", f"Did not run: {', '.join(not_run)}"
        elif not tests:
            status, reason = "not_run", "There is no test for it."
        results[item["requirement"]] = {
            "requirement": item["requirement"],
            "status": status,
            "tests": item["tests"],
            "reason": reason,
        }
    for item in content["not_covered"]:
        results[item["requirement"]] = _untested(item["requirement"], item["reason"])
    for key in requirements:
        results.setdefault(key, _untested(key, "The program does not mention it."))
    order = {key: place for place, key in enumerate(requirements)}
    ids = sorted(results, key=lambda key: order.get(key, len(order)))
    return [results[key] for key in ids[:500]]


def _untested(requirement: str, reason: str) -> dict[str, Any]:
    return {"requirement": requirement, "status": "not_covered", "tests": [], "reason": reason}


def _summary(
    run: sandbox.SandboxResult, counts: Mapping[str, int], coverage: Sequence[Mapping[str, Any]]
) -> str:
    """First what counts: how many requirements a test has exercised."""
    if run.timed_out:
        return f"The tests did not end within {TIMEOUT_SECONDS:.0f} seconds."
    if not counts["run"]:
        return f"No test ran (exit code {run.exit_code})."
    done = counts["run"] - counts["skipped"]
    text = f"{tested_of(coverage)} {done} of {counts['run']} tests were run: {counts['passed']} "
    text += f"passed, {counts['failed']} failed, {counts['errors']} broke off; "
    text += f"{counts['skipped']} were skipped."
    if not any(item["status"] in ("passed", "failed") for item in coverage):
        text += " No test that was run is about a requirement."
    is_odd = run.exit_code != 0 and not counts["failed"] and not counts["errors"]
    return f"{text} The exit code was {run.exit_code}." if is_odd else text


def _cut(output: str) -> str:
    if len(output) <= MAX_OUTPUT:
        return output
    half = MAX_OUTPUT // 2
    return (
        f"{output[:half]}\n[... {len(output) - MAX_OUTPUT} characters left out "
        f"...]\n{output[-half:]}"
    )
