"""What is handed over, with fingerprints that anyone can check."""

from typing import Self

from pydantic import Field, model_validator

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
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
from context.markdown import bullets, document_title, plain, section, table


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


@artifact_type("deployment_package", title="Deployment package", order=80)
class DeploymentPackageType(ArtifactType):
    schema = DeploymentPackage

    def render(self, content: Values) -> list[str]:
        rows = [[f["path"], f["size_bytes"], f["sha256"]] for f in content["files"]]
        return [
            *document_title(content, "Deployment package"),
            f"Version {plain(content['version'])}. "
            f"SHA-256 of the whole: {plain(content['checksum'])}. "
            f"Packed from version {content['source']['version']} of the source code.",
            "",
            plain(content["tests"]["summary"]),
            "",
            *section(
                "How to run",
                [f"{n}. {plain(s)}" for n, s in enumerate(content["how_to_run"], start=1)],
            ),
            *section("Needs", bullets(content["requires"])),
            *section("Files", table(["Path", "Bytes", "SHA-256"], rows)),
        ]

    def files(self, content: Values) -> dict[str, str]:
        sums = (f"{file['sha256']}  {file['path']}\n" for file in content["files"])
        return {"SHA256SUMS": "".join(sums)}
