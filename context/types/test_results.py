"""What running the tests of the program showed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
    Content,
    Count,
    FilePath,
    Line,
    LongText,
    OptionalLine,
    OptionalText,
    RequirementId,
    Text,
)
from context.markdown import bullets, fenced, plain, section, table


class TestCounts(Content):
    """How many tests there were, by outcome."""

    __test__ = False

    run: Count = Field(description="Tests that were reached, the skipped ones included.")
    passed: Count = Field(description="Tests that passed.")
    failed: Count = Field(description="Tests whose assertion failed.")
    errors: Count = Field(description="Tests that broke off with an error.")
    skipped: Count = Field(description="Tests that were skipped.")


Outcome = Literal["passed", "failed", "error", "skipped", "expected_failure", "not_run"]


class TestVerdict(Content):
    """One test that is said to exercise a requirement, and what came of it."""

    __test__ = False

    test: Line = Field(description="Name of the test.")
    outcome: Outcome = Field(description="What it reported, or not_run.")


class TestOutcome(Content):
    """One test that the text of the program has."""

    __test__ = False

    file: FilePath = Field(description="The file it stands in.")
    name: Line = Field(description="Its name, after that of its class.")
    outcome: Outcome = Field(
        description="What it reported; error if it broke off or its process ended, not_run if it "
        "was never reached."
    )


class RequirementResult(Content):
    """What the tests say about one requirement."""

    requirement: RequirementId = Field(description="Id of the requirement.")
    statement: OptionalText = Field("", description="The requirement, as it was specified.")
    status: Literal["passed", "failed", "not_run", "not_covered"] = Field(
        description="passed only if there is a test for it and every one of them was run and "
        "passed; a skipped test is one that was not run."
    )
    tests: list[Line] = Field(
        max_length=100, description="The tests that the program names for it."
    )
    verdicts: list[TestVerdict] = Field(
        default_factory=list, max_length=200, description="Those of them that there are."
    )
    reason: OptionalText = Field("", description="Why it did not pass, or is not covered.")


class FailedTest(Content):
    """One test that did not pass."""

    name: Line = Field(description="Name of the test.")
    outcome: Literal["failed", "error"] = Field(description="Failed assertion, or broken off.")
    detail: Text = Field(description="The end of its traceback.")


class AcceptanceResults(Content):
    """What the tester's own tests showed, which it wrote from the specification."""

    summary: Text = Field(description="The result in one or two sentences.")
    passed: bool = Field(description="True only if tests ran and every one of them passed.")
    counts: TestCounts = Field(description="Tests by outcome.")
    tests: list[TestOutcome] = Field(max_length=5000, description="Every test that the text has.")
    failures: list[FailedTest] = Field(max_length=200, description="The tests that did not pass.")
    problems: list[Text] = Field(max_length=100, description="What puts the run in doubt.")
    requirements: list[RequirementId] = Field(
        max_length=500, description="Requirements that the tests are said to check."
    )
    files: list[FilePath] = Field(
        max_length=100, description="The files of the tests; the tester's workspace has them."
    )


class TestResults(Content):
    """What really running the tests showed."""

    __test__ = False

    summary: Text = Field(description="The result in one or two sentences.")
    command: OptionalText = Field(description="The command that ran; empty if nothing ran.")
    exit_code: int | None = Field(
        ge=-1000, le=100_000, description="Exit code; none if it did not end by itself."
    )
    passed: bool = Field(
        description="True only if tests ran, every one of them reported that it passed, none was "
        "skipped, and nothing puts the run in doubt."
    )
    timed_out: bool = Field(description="Whether the time limit ended the run.")
    counts: TestCounts = Field(description="Tests by outcome.")
    failures: list[FailedTest] = Field(max_length=200, description="The tests that did not pass.")
    output: LongText = Field(description="What the run printed; the middle is cut if it is long.")
    duration_ms: Count = Field(description="How long it took, in milliseconds.")
    isolation: dict[OptionalLine, OptionalLine] = Field(
        max_length=50, description="How the run was kept apart from the rest of the machine."
    )
    coverage: list[RequirementResult] = Field(max_length=500, description="Result by requirement.")
    tests: list[TestOutcome] = Field(
        default_factory=list, max_length=5000, description="Every test that the text has."
    )
    problems: list[Text] = Field(
        default_factory=list,
        max_length=100,
        description="Why the tests do not show what they seem to show; nothing passes then.",
    )
    source_sha256: OptionalLine = Field("", description="SHA-256 of the source code that was run.")
    acceptance: AcceptanceResults | None = Field(
        None, description="The tester's own tests, apart from those of the program; none written."
    )


# A test that was skipped has shown nothing.
RESULTS = {"not_run": "not tested", "not_covered": "not tested"}
SHOWN_LAST = ("failed", "passed")
SHOWN_TESTS = 500
WHAT_IT_SHOWS = """\
These are the program's own tests: whoever wrote the program wrote them, or named them for a
requirement. A runner of Paraph's read from the text which tests there are, ran each file of them
in a process of its own, asked for one test after the other, and saw how each process ended.
Nothing that the program printed counts.

It does not show that a test checks what its name says, nor that the tests are enough. A test runs
in one process with the program, so a program made to deceive can let its tests report what it
likes. Read the tests of what matters to you."""


@artifact_type("test_results", title="Test results", order=60)
class TestResultsType(ArtifactType):
    schema = TestResults
    __test__ = False

    def render(self, content: Values) -> list[str]:
        kept_apart = [
            f"- {plain(key)}: {plain(value)}" for key, value in content["isolation"].items()
        ]
        failures = [
            line
            for f in content["failures"]
            for line in (f"### {plain(f['name'])}", "", *fenced(f["detail"]))
        ]
        tests = content.get("tests") or []
        rows = [[t["file"], t["name"], words(t["outcome"])] for t in tests[:SHOWN_TESTS]]
        more = [f"And {len(tests) - SHOWN_TESTS} more."] if len(tests) > SHOWN_TESTS else []
        return [
            f"# Test results: {tested_of(content['coverage']).rstrip('.')}",
            "",
            plain(content["summary"]),
            "",
            *section("Why these results do not count", bullets(content.get("problems") or [])),
            *section("By requirement", _by_requirement(content["coverage"])),
            *section("What this shows, and what not", WHAT_IT_SHOWS.splitlines() if tests else []),
            *section("Failures", failures),
            *section("The tester's own tests", _acceptance(content.get("acceptance"))),
            *section("All tests", [*table(["File", "Test", "It reported"], rows), "", *more]
                     if tests else []),
            f"Run by: {plain(content['command']) or '(nothing ran)'}. Exit code: "
            f"{content['exit_code']}. "
            f"Time: {content['duration_ms']} "
            f"ms.{' It ran out of time.' if content['timed_out'] else ''}",
            "",
            *section("Output", fenced(content["output"]) if content["output"] else []),
            *section("Isolation", kept_apart),
        ]  # fmt: skip


WHOSE = """\
The tester wrote these from the specification. Whoever wrote the program had not seen them. They
were run by the same runner, without the program's own tests. Their text is in the workspace of the
tester's task."""


def _acceptance(content: Values | None) -> list[str]:
    if not content:
        return []
    rows = [[t["file"], t["name"], words(t["outcome"])] for t in content["tests"][:SHOWN_TESTS]]
    failures = [
        line
        for f in content["failures"]
        for line in (f"### {plain(f['name'])}", "", *fenced(f["detail"]), "")
    ]
    requirements = ", ".join(content["requirements"]) or "none"
    return [
        plain(content["summary"]),
        "",
        *WHOSE.splitlines(),
        "",
        f"Said to check: {plain(requirements)}.",
        "",
        *[f"- {plain(problem)}" for problem in content["problems"]],
        *table(["File", "Test", "It reported"], rows),
        "",
        *failures,
    ]


def _by_requirement(coverage: Sequence[Values]) -> list[str]:
    """Requirement, text, tests and verdict; what no test has exercised first."""
    rows = []
    for item in sorted(coverage, key=lambda item: item["status"] in SHOWN_LAST):
        verdicts = [f"{v['test']}: {words(v['outcome'])}" for v in item.get("verdicts") or []]
        tests = "; ".join(verdicts or item["tests"]) or "none"
        result = RESULTS.get(item["status"], item["status"])
        result = f"{result}: {item['reason']}" if item["reason"] else result
        rows.append([item["requirement"], item.get("statement", ""), tests, result])
    return table(["Requirement", "Text", "Tests", "Verdict"], rows)


def words(outcome: str) -> str:
    """An outcome as people read it."""
    return {"error": "broke off", "not_run": "was not run"}.get(outcome, outcome.replace("_", " "))


def tested_of(coverage: Sequence[Values]) -> str:
    """How many requirements a test has exercised, whatever came of it."""
    tested = sum(item["status"] in ("passed", "failed") for item in coverage)
    failed = sum(item["status"] == "failed" for item in coverage)
    verb = "is" if len(coverage) == 1 else "are"
    word = "requirement" if len(coverage) == 1 else "requirements"
    text = f"{tested} of {len(coverage)} {word} {verb} tested"
    return f"{text}, {failed} of them failed." if failed else f"{text}."
