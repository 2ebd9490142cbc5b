"""A complete program with its tests."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
    Content,
    Feedback,
    FilePath,
    Line,
    LongText,
    NotCoveredList,
    RequirementId,
    Text,
    duplicates,
)
from context.markdown import bullets, document_title, fenced, plain, section, table
from context.parts.sections import program_files

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
        description="The command that runs all tests, as a list, such as python3 -m unittest; "
        "empty if none.",
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
    def _covers_or_does_not(self) -> Self:
        both = {c.requirement for c in self.covered} & {n.requirement for n in self.not_covered}
        if both:
            raise ValueError(f"both covered and not covered: {', '.join(sorted(both))}")
        return self


@artifact_type("source_code", title="Source code", order=50)
class SourceCodeType(ArtifactType):
    schema = SourceCode
    source_files_field = "files"

    def render(self, content: Values) -> list[str]:
        covered = [[c["requirement"], ", ".join(c["tests"])] for c in content["covered"]]
        command = " ".join(content["test_command"]) or "(no tests)"
        return [
            *document_title(content, "Source code"),
            plain(content["summary"]),
            "",
            f"Start: {plain(content['entry_point'])}. Tests: {plain(command)}",
            "",
            *section("Tests by requirement", table(["Requirement", "Tests"], covered)),
            *section("Notes", bullets(content["notes"])),
            *[
                line
                for file in content["files"]
                for line in (
                    f"## {plain(file['path'])}",
                    "",
                    *fenced(file["content"], file["language"]),
                )
            ],
        ]

    def files(self, content: Values) -> dict[str, str]:
        return {f"source/{file['path']}": file["content"] for file in program_files(content)}
