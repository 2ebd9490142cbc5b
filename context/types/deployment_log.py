"""What was done to release the product, and what remains for people to do."""

from typing import Literal

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Content, Feedback, Line, NotCoveredList, Text
from context.markdown import bullets, document_title, plain, section, table, without_html


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


@artifact_type("deployment_log", title="Deployment log", order=70)
class DeploymentLogType(ArtifactType):
    schema = DeploymentLog
    markdown_fields = frozenset({"release_notes"})

    def render(self, content: Values) -> list[str]:
        rows = [[e["action"], e["status"], e["detail"]] for e in content["entries"]]
        return [
            *document_title(content, "Deployment log"),
            plain(content["summary"]),
            "",
            *section("Steps", table(["Step", "Status", "Detail"], rows)),
            *section("Release notes", [without_html(content["release_notes"])]),
            *section("Way back", bullets(content["rollback"])),
        ]
