"""What running the tests of the program showed."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
    Content,
    Count,
    Line,
    LongText,
    OptionalLine,
    OptionalText,
    RequirementId,
    Text,
)
from context.markdown import fenced, plain, section, table


class TestCounts(Content):
    """How many tests there were, by outcome."""

    __test__ = False

    run: Count = Field(description="Tests that were reached, the skipped ones included.")
    passed: Count = Field(description="Tests that passed.")
    failed: Count = Field(description="Tests whose assertion failed.")
    errors: Count = Field(description="Tests that broke off with an error.")
    skipped: Count = Field(description="Tests that were skipped.")


class RequirementResult(Content):
    """What the tests say about one requirement."""

    requirement: RequirementId = Field(description="Id of the requirement.")
    status: Literal["passed", "failed", "not_run", "not_covered"] = Field(
        description="passed only if there is a test for it and every one of them was run and "
        "passed; a skipped test is one that was not run."
    )
    tests: list[Line] = Field(max_length=100, description="The tests that speak for it.")
    reason: OptionalText = Field("", description="Why it did not pass, or is not covered.")


class FailedTest(Content):
    """One test that did not pass."""

    name: Line = Field(description="Name of the test.")
    outcome: Literal["failed", "error"] = Field(description="Failed assertion, or broken off.")
    detail: Text = Field(description="The end of its traceback.")


class TestResults(Content):
    """What really running the tests showed."""

    __test__ = False

    summary: Text = Field(description="The result in one or two sentences.")
    command: OptionalText = Field(description="The command that ran; empty if nothing ran.")
    exit_code: int | None = Field(
        ge=-1000, le=100_000, description="Exit code; none if it did not end by itself."
    )
    passed: bool = Field(
        description="True only if tests ran, every one of them passed and none was skipped."
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
    source_sha256: OptionalLine = Field("", description="SHA-256 of the source code that was run.")


# A test that was skipped has shown nothing.
RESULTS = {"not_run": "not tested", "not_covered": "not tested"}


@artifact_type("test_results", title="Test results", order=60)
class TestResultsType(ArtifactType):
    schema = TestResults
    __test__ = False

    def render(self, content: Values) -> list[str]:
        coverage = [
            [item["requirement"], RESULTS.get(item["status"], item["status"]), item["reason"]]
            for item in content["coverage"]
        ]
        kept_apart = [
            f"- {plain(key)}: {plain(value)}" for key, value in content["isolation"].items()
        ]
        failures = [
            line
            for f in content["failures"]
            for line in (f"### {plain(f['name'])}", "", *fenced(f["detail"]))
        ]
        return [
            f"# Test results: {tested_of(content['coverage']).rstrip('.')}",
            "",
            plain(content["summary"]),
            "",
            f"Command: {plain(content['command']) or '(nothing ran)'}. Exit code: "
            f"{content['exit_code']}. "
            f"Time: {content['duration_ms']} "
            f"ms.{' It ran out of time.' if content['timed_out'] else ''}",
            "",
            *section("By requirement", table(["Requirement", "Result", "Reason"], coverage)),
            *section("Failures", failures),
            *section("Output", fenced(content["output"]) if content["output"] else []),
            *section("Isolation", kept_apart),
        ]


def tested_of(coverage: Sequence[Values]) -> str:
    """How many requirements a test has exercised, whatever came of it."""
    tested = sum(item["status"] in ("passed", "failed") for item in coverage)
    failed = sum(item["status"] == "failed" for item in coverage)
    verb = "is" if len(coverage) == 1 else "are"
    word = "requirement" if len(coverage) == 1 else "requirements"
    text = f"{tested} of {len(coverage)} {word} {verb} tested"
    return f"{text}, {failed} of them failed." if failed else f"{text}."
