"""What agents and people say that is not a product document."""

from typing import Literal

from pydantic import Field

from context.schemas.fields import (
    Clarifications,
    Content,
    Feedback,
    Line,
    LongText,
    OptionalLine,
    Text,
)


class AgentOutput(Content):
    """A free answer of an agent."""

    summary: Text = Field(description="The answer in one or two sentences.")
    body: LongText = Field(description="The whole answer, as Markdown.")
    clarifications: Clarifications = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)


class HitlResponse(Content):
    """What a person answered or decided."""

    questions: list[Text] = Field(max_length=20, description="What was asked; empty for a comment.")
    answer: LongText = Field(description="The answer or comment, word for word.")
    answered_by: OptionalLine = Field("", description="Who said it.")
    action: Line | Literal[""] = Field(
        "", description="The decision it belongs to, such as answer."
    )
