"""Runs the tests of the program, in isolation: facts, in which no model has a say."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents import sandbox
from agents.acceptance import Acceptance, counts_of, write_acceptance
from agents.protocols import Assignment, Completed, Material, Model, Outcome
from agents.role import checked, needed, role, titled, usage_of_facts, with_ground_rules
from context.types.test_results import tested_of
from projects.enums import Phase

TIMEOUT_SECONDS = 60.0
MEMORY_MEGABYTES = 512
MAX_OUTPUT = 200_000

#: As a shell has it for a program that is not there.
NOT_FOUND = 127
RUNNER = "Paraph's own runner of unittest tests, one process a file"
# What a claim may leave out: `test_x`, `Case.test_x`, `module.test_x`, `module.Case.test_x`.
CLAIM_PARTS = 3
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
    "tests": [],
    "problems": [],
}


@role("tester", phase=Phase.VALIDATE)
class Tester:
    """The verdict is about requirements that a test exercised; a skipped test shows nothing."""

    keeps_tests = True

    instructions = """\
You judge a program by tests of your own, beside those that its programmer wrote. From the
specification alone you write acceptance tests in Python's unittest: files named
acceptance/test_*.py, each test a method named after the requirement it checks (test_fr_3_...). You
have not seen the program's text; you know its entry point and the names of its files. Run it as a
user would, by subprocess with a time limit, from the folder that holds its files (`sys.executable`
for Python), and compare what it prints and its exit code with what the specification says. There is
no network. Test only what the specification states; never guess at words that it leaves open. The
tests are run for you, in isolation: you never report a result.
"""

    def run(self, assignment: Assignment, model: Model) -> Outcome:
        """Run the tests of the newest source code. Raises PermanentError if there is none."""
        code = needed(assignment, "source_code")
        specification = assignment.newest("software_specification")
        requirements = specification.content["requirements"] if specification else []
        usage = usage_of_facts(self.agent_type)
        statements = {item["id"]: item["statement"] for item in requirements}
        results = results_of(code, statements)
        own: Acceptance | None = None
        if statements and getattr(model, "takes_tools", False):
            earlier = assignment.own_tests
            if earlier is not None and not assignment.feedback:
                # Whoever wrote the program repairs it against what it failed before.
                names = list(earlier.requirements)
                own = Acceptance(dict(earlier.files), names, usage, "", is_earlier=True)
            else:
                rules = with_ground_rules(self.instructions)
                own = write_acceptance(assignment, model, rules, code)
            usage = own.usage
            results["acceptance"] = own.results_on(code, statements)
            results["summary"] += f" {results['acceptance']['summary']}"
        content = checked("test_results", results, usage)
        output = titled("test_results", content | {"title": code.content["title"]})
        output = replace(output, content=content, prompt_sha256=own.prompt_sha256 if own else "")
        verdict = verdict_of(code.content, content)
        files = own.files if own else {}
        return Completed((output,), usage, verdict, content["summary"], files)


def verdict_of(code: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """`pass` needs a requirement whose tests passed.

    A program that runs well and claims no requirement gets no verdict: there is nothing to judge,
    and a person decides. So they do where the tester's own tests did not run to their end.
    """
    if is_foreign(code):
        # Nobody here can say which of its tests ran: what a command's exit says is shown.
        return "" if results["exit_code"] in (0, NOT_FOUND) else "fail"
    own = results.get("acceptance")
    if own and (own["counts"]["failed"] or own["counts"]["errors"]):
        return "fail"
    if not ran_well(results):
        return "fail"
    if not code["covered"] or (own and own["problems"]):
        return ""
    return "pass" if any(item["status"] == "passed" for item in results["coverage"]) else "fail"


def ran_well(results: Mapping[str, Any]) -> bool:
    """Whether some tests were run, to their end, none of them failed, and nothing is odd."""
    if results.get("problems"):
        return False
    counts = results["counts"]
    is_ended = results["exit_code"] == 0 and not results["timed_out"]
    is_clean = not counts["failed"] and not counts["errors"]
    return is_ended and is_clean and counts["run"] > counts["skipped"]


def results_of(code: Material, requirements: Mapping[str, str]) -> dict[str, Any]:
    """The content of the test results of a version of source code, for all the requirements.

    `requirements`: the text of each, by id.
    """
    if is_foreign(code.content):
        return results_of_command(code, requirements)
    if not has_tests(code.content):
        return NOTHING_RAN | {
            "coverage": _coverage(code.content, requirements, (), ()),
            "source_sha256": code.sha256,
        }
    run = sandbox.run_tests(
        {file["path"]: file["content"] for file in code.content["files"]},
        timeout_seconds=TIMEOUT_SECONDS,
        memory_megabytes=MEMORY_MEGABYTES,
    )
    counts = counts_of(run.tests)
    coverage = _coverage(code.content, requirements, run.tests, run.problems)
    is_clean = run.exit_code == 0 and not run.timed_out and not run.problems
    return {
        "summary": _summary(run, counts, coverage),
        "command": RUNNER,
        "exit_code": run.exit_code,
        "passed": is_clean and 0 < counts["passed"] == len(run.tests),
        "timed_out": run.timed_out,
        "counts": counts,
        "failures": [
            {
                "name": test.name,
                "outcome": test.outcome,
                "detail": test.detail.strip() or "(no traceback)",
            }
            for test in run.tests
            if test.outcome in ("failed", "error")
        ][:200],
        "output": _cut(run.output),
        "duration_ms": run.duration_ms,
        "isolation": {str(key)[:300]: str(value)[:300] for key, value in run.isolation.items()},
        "coverage": coverage,
        "tests": [{"file": t.file, "name": t.name, "outcome": t.outcome} for t in run.tests],
        "problems": list(run.problems),
        "source_sha256": code.sha256,
    }


def is_foreign(content: Mapping[str, Any]) -> bool:
    """Whether its tests are not Python's, so that no runner of ours can read them."""
    command = content["test_command"]
    return bool(command) and command[0] not in ("python", "python3")


def results_of_command(code: Material, requirements: Mapping[str, str]) -> dict[str, Any]:
    """Of a program in another language: what its own test command said, and no more than that."""
    command = code.content["test_command"]
    run = sandbox.run_program(
        {file["path"]: file["content"] for file in code.content["files"]},
        command=command,
        timeout_seconds=TIMEOUT_SECONDS,
        memory_megabytes=MEMORY_MEGABYTES,
    )
    ended = f"ended with exit code {run.exit_code}"
    if run.exit_code == NOT_FOUND:
        ended = f"could not be run: {command[0]} is not in the sandbox"
    elif run.timed_out:
        ended = f"did not end within {TIMEOUT_SECONDS:.0f} seconds"
    elif run.excess:
        ended = f"was ended: {run.excess}"
    summary = (
        f"The program's own test command {ended}. Which tests there are, and which of them ran, "
        "is not known here: only Python's are read. No requirement counts as tested."
    )
    reason = "Its tests are in a language that is not read here."
    claimed = {item["requirement"]: item["tests"] for item in code.content["covered"]}
    coverage = _coverage(code.content, requirements, (), ())
    for item in coverage:
        if item["requirement"] in claimed:
            item["reason"] = reason
    return NOTHING_RAN | {
        "summary": summary,
        "command": " ".join(command)[:20_000],
        "exit_code": run.exit_code,
        "timed_out": run.timed_out,
        "output": _cut(run.output),
        "duration_ms": run.duration_ms,
        "isolation": {str(key)[:300]: str(value)[:300] for key, value in run.isolation.items()},
        "coverage": coverage,
        "problems": [f"The test command {ended}."] if run.exit_code else [],
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


def _tests_by_name(
    tests: Sequence[sandbox.TestRecord],
) -> dict[str, list[sandbox.TestRecord]]:
    """By each name that stands for a test: its function, alone or after class, module or both."""
    named: dict[str, list[sandbox.TestRecord]] = defaultdict(list)
    for test in tests:
        module = test.file.removesuffix(".py").rpartition("/")[2]
        last = {test.name, test.name.rpartition(".")[2]}
        for name in last | {f"{module}.{end}" for end in last}:
            named[name].append(test)
    return named


def _coverage(
    content: Mapping[str, Any],
    requirements: Mapping[str, str],
    tests: Sequence[sandbox.TestRecord],
    problems: Sequence[str],
) -> list[dict[str, Any]]:
    """Each requirement of the specification, and those that the program itself names."""
    results = {}
    named = _tests_by_name(tests)
    for item in content["covered"]:
        # The status by the tests that the program names; of several with one name, all count.
        claims = {claim: named.get(_plain_name(claim), []) for claim in item["tests"]}
        outcomes = {claim: {test.outcome for test in claims[claim]} for claim in claims}
        failed = [claim for claim, seen in outcomes.items() if seen & {"failed", "error"}]
        not_run = [c for c, seen in outcomes.items() if seen != {"passed"} and c not in failed]
        status, reason = "passed", ""
        if failed:
            status, reason = "failed", f"Did not pass: {', '.join(failed)}"
        elif not_run:
            status, reason = "not_run", f"Did not run: {', '.join(not_run)}"
        elif not claims:
            status, reason = "not_run", "There is no test for it."
        elif problems:
            status, reason = "not_run", f"The run is in doubt: {problems[0][:1000]}"
        exercised = {(t.file, t.name): t for claim in claims.values() for t in claim}.values()
        results[item["requirement"]] = {
            "requirement": item["requirement"],
            "statement": requirements.get(item["requirement"], ""),
            "status": status,
            "tests": item["tests"],
            "verdicts": [{"test": t.name, "outcome": t.outcome} for t in exercised][:200],
            "reason": reason[:20_000],
        }
    untested = {item["requirement"]: item["reason"] for item in content["not_covered"]}
    for key, reason in untested.items():
        results[key] = _untested(key, requirements.get(key, ""), reason)
    for key, statement in requirements.items():
        results.setdefault(key, _untested(key, statement, "The program does not mention it."))
    order = {key: place for place, key in enumerate(requirements)}
    ids = sorted(results, key=lambda key: order.get(key, len(order)))
    return [results[key] for key in ids[:500]]


def _plain_name(claim: str) -> str:
    """`module.Case.test` of what a claim says, also of `tests/module.py::Case::test`."""
    dotted = claim.strip().replace(".py::", ".").replace("::", ".").replace("/", ".")
    return ".".join(dotted.removesuffix("()").split(".")[-CLAIM_PARTS:])


def _untested(requirement: str, statement: str, reason: str) -> dict[str, Any]:
    return {
        "requirement": requirement,
        "statement": statement,
        "status": "not_covered",
        "tests": [],
        "verdicts": [],
        "reason": reason,
    }


def _summary(
    run: sandbox.TestsResult, counts: Mapping[str, int], coverage: Sequence[Mapping[str, Any]]
) -> str:
    """First what counts: how many requirements a test has exercised; and whose tests they are."""
    if run.timed_out:
        return f"The tests did not end within {TIMEOUT_SECONDS:.0f} seconds."
    doubt = ""
    if run.problems:
        more = f" (and {len(run.problems) - 1} more)" if len(run.problems) > 1 else ""
        doubt = f" The run does not count: {run.problems[0][:2_000]}{more}"
    if not counts["run"]:
        return f"No test ran.{doubt}"
    done = counts["run"] - counts["skipped"]
    text = f"{tested_of(coverage)} The program's own tests report: {done} of {len(run.tests)} "
    text += f"were run, {counts['passed']} passed, {counts['failed']} failed, "
    text += f"{counts['errors']} broke off; {counts['skipped']} were skipped."
    if not any(item["status"] in ("passed", "failed") for item in coverage):
        text += " No test that counts is about a requirement."
    return f"{text}{doubt}"


def _cut(output: str) -> str:
    if len(output) <= MAX_OUTPUT:
        return output
    half = MAX_OUTPUT // 2
    return (
        f"{output[:half]}\n[... {len(output) - MAX_OUTPUT} characters left out "
        f"...]\n{output[-half:]}"
    )
