"""The work, in order."""

from typing import Self

from pydantic import Field, model_validator

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
    Content,
    Feedback,
    FilePath,
    Line,
    NotCoveredList,
    RequirementId,
    Text,
)
from context.markdown import document_title, plain, section, table


class WorkItem(Content):
    """One piece of the work, small enough to be reviewed at once."""

    number: int = Field(ge=1, le=10_000, description="Place in the order, from 1.")
    title: Line = Field(description="What is done.")
    detail: Text = Field(description="How, and when it is finished.")
    components: list[Line] = Field(max_length=100, description="Components it builds.")
    requirements: list[RequirementId] = Field(max_length=300, description="Requirements it serves.")
    files: list[FilePath] = Field(max_length=100, description="Files it writes.")
    needs: list[int] = Field(max_length=100, description="Numbers of items that come before.")


class ImplementationPlan(Content):
    """The work, in order."""

    title: Line = Field(description="Name of the product.")
    approach: Text = Field(description="How the work is gone about, in a few sentences.")
    items: list[WorkItem] = Field(min_length=1, max_length=300, description="The work items.")
    test_strategy: Text = Field(description="How one will know that it works.")
    not_covered: NotCoveredList = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)

    @model_validator(mode="after")
    def _order_holds(self) -> Self:
        numbers = [item.number for item in self.items]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError("items must be numbered 1, 2, 3 ... in order")
        if any(need >= item.number or need < 1 for item in self.items for need in item.needs):
            raise ValueError("an item may only need items before it")
        return self


@artifact_type("implementation_plan", title="Implementation plan", order=40)
class ImplementationPlanType(ArtifactType):
    schema = ImplementationPlan

    def render(self, content: Values) -> list[str]:
        rows = [
            [
                i["number"],
                i["title"],
                i["detail"],
                ", ".join(i["files"]),
                ", ".join(i["requirements"]),
                ", ".join(map(str, i["needs"])),
            ]
            for i in content["items"]
        ]
        return [
            *document_title(content, "Implementation plan"),
            plain(content["approach"]),
            "",
            *section(
                "Work", table(["No.", "Item", "Detail", "Files", "Requirements", "Needs"], rows)
            ),
            *section("Tests", [plain(content["test_strategy"])]),
        ]
