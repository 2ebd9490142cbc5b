"""How the product is built: its parts, its data, and the work in order."""

from typing import Literal, Self

from pydantic import Field, model_validator

from context.schemas.fields import (
    Content,
    Feedback,
    FilePath,
    Line,
    NotCoveredList,
    OptionalText,
    RequirementId,
    Text,
    duplicates,
)


class Component(Content):
    """A part of the product with one duty."""

    name: Line = Field(description="Name, as used in the implementation plan.")
    responsibility: Text = Field(description="The one thing it answers for.")
    requirements: list[RequirementId] = Field(
        max_length=300, description="Ids of the requirements it serves."
    )
    depends_on: list[Line] = Field(max_length=50, description="Names of components it uses.")


class EntityField(Content):
    """One field of a kind of record."""

    name: Line = Field(description="Name in snake_case.")
    type: Literal["text", "integer", "decimal", "date", "boolean", "choice", "reference"] = Field(
        description="Type of its values."
    )
    required: bool = Field(False, description="Whether every record must have it.")
    unique: bool = Field(False, description="Whether no two records may share a value.")
    choices: list[Line] = Field(default_factory=list, max_length=100, description="Allowed values.")
    description: OptionalText = Field("", description="What it means.")


class Entity(Content):
    """A kind of record, or of input, that the product handles."""

    name: Line = Field(description="Name in the singular, snake_case.")
    description: OptionalText = Field("", description="What it stands for.")
    fields: list[EntityField] = Field(max_length=100, description="Its fields, in order.")


class Decision(Content):
    """A choice that someone may want to question."""

    title: Line = Field(description="What was decided.")
    reason: Text = Field(description="Why.")
    alternatives: list[Text] = Field(max_length=20, description="What else was thought of.")


class SystemArchitecture(Content):
    """Parts, data and decisions."""

    title: Line = Field(description="Name of the product.")
    overview: Text = Field(description="How it works as a whole, in a few sentences.")
    components: list[Component] = Field(min_length=1, max_length=100, description="The parts.")
    data_model: list[Entity] = Field(max_length=100, description="Kinds of record it handles.")
    interfaces: list[Text] = Field(max_length=100, description="How people and programs use it.")
    decisions: list[Decision] = Field(max_length=50, description="Decisions with their reasons.")
    not_covered: NotCoveredList = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if twice := duplicates([component.name for component in self.components]):
            raise ValueError(f"component names must be unique: {', '.join(twice)}")
        return self


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
