"""What is handed over, and the record of handing it over."""

from typing import Literal, Self

from pydantic import Field, model_validator

from context.schemas.fields import (
    Content,
    Count,
    Feedback,
    FilePath,
    Line,
    NotCoveredList,
    OptionalLine,
    Sha256,
    Text,
    duplicates,
)


class PackagedFile(Content):
    """One file of the package, by its fingerprint."""

    path: FilePath = Field(description="Relative path.")
    sha256: Sha256 = Field(description="SHA-256 of its UTF-8 bytes.")
    size_bytes: Count = Field(description="Size in bytes.")


class PackageSource(Content):
    """Which version of the source code was packed."""

    artifact: OptionalLine = Field(description="Id of the artifact.")
    version: Count = Field(description="Version of the artifact.")
    sha256: OptionalLine = Field(description="SHA-256 of the artifact's content.")


class PackageTests(Content):
    """What the tests had shown when it was packed."""

    ran: bool = Field(description="Whether tests had run at all.")
    passed: bool = Field(description="Whether all of them had passed.")
    total: Count = Field(description="How many tests there were, the skipped ones included.")
    skipped: Count = Field(0, description="How many of them were skipped.")
    summary: Text = Field(description="The result in one sentence.")


class DeploymentPackage(Content):
    """Everything that is handed over, with fingerprints that anyone can check."""

    title: Line = Field(description="Name of the product.")
    version: Line = Field(description="Version of the package.")
    source: PackageSource = Field(description="What was packed.")
    files: list[PackagedFile] = Field(min_length=1, max_length=300, description="All files.")
    checksum: Sha256 = Field(
        description="SHA-256 over the lines '<sha256>  <path>\\n' of all files, sorted by path."
    )
    entry_point: FilePath = Field(description="The file that starts the program.")
    requires: list[Line] = Field(max_length=50, description="What must be there to run it.")
    how_to_run: list[Text] = Field(min_length=1, max_length=50, description="Steps, in order.")
    tests: PackageTests = Field(description="What the tests had shown.")
    not_covered: NotCoveredList = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)

    @model_validator(mode="after")
    def _files_fit_together(self) -> Self:
        paths = [file.path for file in self.files]
        if twice := duplicates(paths):
            raise ValueError(f"paths must be unique: {', '.join(twice)}")
        if self.entry_point not in paths:
            raise ValueError("entry_point must be one of the files")
        return self


class LogEntry(Content):
    """One step of the release."""

    action: Line = Field(description="What was or is to be done.")
    status: Literal["done", "planned", "skipped", "failed"] = Field(
        description="done only for what really happened."
    )
    detail: Text = Field(description="What came of it, or how it is to be done.")


class DeploymentLog(Content):
    """What was done to release the product, and what remains for people to do."""

    title: Line = Field(description="Name of the product.")
    version: Line = Field(description="Version that is released.")
    summary: Text = Field(description="The release in a few sentences.")
    release_notes: Text = Field(description="What the people who use it should know; Markdown.")
    entries: list[LogEntry] = Field(max_length=200, description="Steps, in order.")
    rollback: list[Text] = Field(max_length=50, description="How to go back, in order.")
    not_covered: NotCoveredList = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)
