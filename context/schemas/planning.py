"""What opens a project: the brief, and the plan that is made of it."""

from typing import Literal

from pydantic import Field

from context.schemas.fields import (
    Clarifications,
    Content,
    Feedback,
    Line,
    LongText,
    OptionalText,
    Text,
)


class UserInput(Content):
    """Words of a person, as they were given."""

    text: LongText = Field(min_length=1, description="The text, word for word.")


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
