"""What running the tests of the program showed."""

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

    run: Count = Field(description="Tests that ran.")
    passed: Count = Field(description="Tests that passed.")
    failed: Count = Field(description="Tests whose assertion failed.")
    errors: Count = Field(description="Tests that broke off with an error.")
    skipped: Count = Field(description="Tests that were skipped.")


class RequirementResult(Content):
    """What the tests say about one requirement."""

    requirement: RequirementId = Field(description="Id of the requirement.")
    status: Literal["passed", "failed", "not_run", "not_covered"] = Field(
        description="passed only if there is a test for it and every one of them passed."
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
    passed: bool = Field(description="True only if tests ran and every one of them passed.")
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


@artifact_type("test_results", title="Test results", order=60)
class TestResultsType(ArtifactType):
    schema = TestResults
    __test__ = False

    def render(self, content: Values) -> list[str]:
        coverage = [[c["requirement"], c["status"], c["reason"]] for c in content["coverage"]]
        kept_apart = [
            f"- {plain(key)}: {plain(value)}" for key, value in content["isolation"].items()
        ]
        failures = [
            line
            for f in content["failures"]
            for line in (f"### {plain(f['name'])}", "", *fenced(f["detail"]))
        ]
        return [
            f"# Test results: {'passed' if content['passed'] else 'not passed'}",
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
