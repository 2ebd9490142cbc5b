"""The program itself, and what running its tests showed."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from context.schemas.fields import (
    Content,
    Count,
    Feedback,
    FilePath,
    Line,
    LongText,
    NotCoveredList,
    OptionalLine,
    OptionalText,
    RequirementId,
    Text,
    duplicates,
)

MAX_CHARACTERS = 2_000_000


class SourceFile(Content):
    """One file of the program."""

    path: FilePath = Field(description="Relative path with forward slashes.")
    content: LongText = Field(description="The whole text of the file.")
    language: Line = Field(description="Language, such as python or markdown.")


class CoveredRequirement(Content):
    """A requirement that the program is said to meet, and the tests that are to show it."""

    requirement: RequirementId = Field(description="Id of the requirement.")
    tests: list[Line] = Field(
        max_length=100, description="Names of the test functions that check it."
    )


class SourceCode(Content):
    """A complete program with its tests."""

    title: Line = Field(description="Name of the program.")
    summary: Text = Field(description="What it does and how it is laid out.")
    files: list[SourceFile] = Field(min_length=1, max_length=300, description="All files.")
    entry_point: FilePath = Field(description="The file that starts the program.")
    test_command: list[Line] = Field(
        max_length=20,
        description="The command that runs all tests, as a list: python3 first; empty if none.",
    )
    covered: list[CoveredRequirement] = Field(
        max_length=500, description="Requirements that the program meets."
    )
    not_covered: NotCoveredList = Field(default_factory=list)
    notes: list[Text] = Field(
        default_factory=list, max_length=100, description="What a reviewer should know."
    )
    feedback: Feedback = Field(default_factory=list)

    @model_validator(mode="after")
    def _files_fit_together(self) -> Self:
        paths = [file.path for file in self.files]
        if twice := duplicates([path.casefold() for path in paths]):
            raise ValueError(f"paths must be unique: {', '.join(twice)}")
        if clash := [p for p in paths if any(other.startswith(p + "/") for other in paths)]:
            raise ValueError(f"a path is both a file and a folder: {', '.join(clash)}")
        if self.entry_point not in paths:
            raise ValueError("entry_point must be one of the files")
        if sum(len(file.content) for file in self.files) > MAX_CHARACTERS:
            raise PydanticCustomError(
                "files_too_long",
                "All files together may have {max_length} characters at most",
                {"max_length": MAX_CHARACTERS},
            )
        return self

    @model_validator(mode="after")
    def _tests_run_with_python(self) -> Self:
        if self.test_command and self.test_command[0] not in ("python", "python3"):
            raise ValueError("test_command must start with python3")
        both = {c.requirement for c in self.covered} & {n.requirement for n in self.not_covered}
        if both:
            raise ValueError(f"both covered and not covered: {', '.join(sorted(both))}")
        return self


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
