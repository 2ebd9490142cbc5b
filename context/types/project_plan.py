"""What is to be built, for whom, and what may go wrong."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Clarifications, Content, Feedback, Line, OptionalText, Text
from context.markdown import bullets, document_title, plain, section, table
from context.parts.concepts import ConceptPart, find_questions


class Goal(Content):
    """Something the product shall achieve, and how one sees that it does."""

    statement: Text = Field(description="The goal, in one sentence.")
    measure: OptionalText = Field("", description="How one can tell that it is reached.")


class Milestone(Content):
    """A point at which something can be looked at and decided."""

    name: Line = Field(description="Short name.")
    outcome: Text = Field(description="What is there when it is reached.")


class Risk(Content):
    """What may go wrong, and what is done about it."""

    description: Text = Field(description="What may happen.")
    likelihood: Literal["low", "medium", "high"] = Field(description="How likely it is.")
    mitigation: Text = Field(description="What is done about it.")


class ProjectPlan(Content):
    """What is to be built, for whom, in which order, and what may go wrong."""

    title: Line = Field(description="Name of the product.")
    summary: Text = Field(description="What it is and for whom, in a few sentences.")
    product_kind: Line = Field(description="What kind of software it is, in a few words.")
    goals: list[Goal] = Field(min_length=1, max_length=50, description="Goals, weightiest first.")
    audience: list[Line] = Field(max_length=30, description="The people who will use it.")
    in_scope: list[Text] = Field(max_length=200, description="What belongs to this project.")
    out_of_scope: list[Text] = Field(max_length=200, description="What does not.")
    milestones: list[Milestone] = Field(max_length=50, description="Milestones, in order.")
    risks: list[Risk] = Field(max_length=50, description="Risks, gravest first.")
    assumptions: list[Text] = Field(max_length=100, description="What is taken for granted.")
    clarifications: Clarifications = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)


@artifact_type("project_plan", title="Project plan", order=10)
class ProjectPlanType(ArtifactType):
    schema = ProjectPlan

    def render(self, content: Values) -> list[str]:
        goals = [
            f"- {plain(g['statement'])} {plain(g['measure'])}".rstrip() for g in content["goals"]
        ]
        milestones = [
            f"- **{plain(m['name'])}**: {plain(m['outcome'])}" for m in content["milestones"]
        ]
        risks = [[r["description"], r["likelihood"], r["mitigation"]] for r in content["risks"]]
        return [
            *document_title(content, "Project plan"),
            plain(content["summary"]),
            "",
            *section("Goals", goals),
            *section("For whom", bullets(content["audience"])),
            *section("In scope", bullets(content["in_scope"])),
            *section("Out of scope", bullets(content["out_of_scope"])),
            *section("Milestones", milestones),
            *section("Risks", table(["Risk", "Likelihood", "What is done"], risks)),
            *section("Assumptions", bullets(content["assumptions"])),
        ]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        yield from find_questions(content)
