"""How the product is built: its parts, its data, and what was decided."""

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import (
    Content,
    Feedback,
    Line,
    NotCoveredList,
    OptionalText,
    RequirementId,
    Text,
    duplicates,
)
from context.enums import ConceptKind
from context.markdown import bullets, document_title, plain, section, table
from context.parts.concepts import ConceptPart, named
from context.parts.headings import TITLE_MAX_CHARACTERS
from context.parts.sections import as_lines

_ENDPOINT = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (/[^\s,;`'\")]*)")


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


@artifact_type("system_architecture", title="System architecture", order=30)
class SystemArchitectureType(ArtifactType):
    schema = SystemArchitecture

    def render(self, content: Values) -> list[str]:
        parts = [
            [
                c["name"],
                c["responsibility"],
                ", ".join(c["requirements"]),
                ", ".join(c["depends_on"]),
            ]
            for c in content["components"]
        ]
        decisions = [
            f"- **{plain(d['title'])}**: {plain(d['reason'])}" for d in content["decisions"]
        ]
        return [
            *document_title(content, "System architecture"),
            plain(content["overview"]),
            "",
            *section("Components", table(["Component", "Duty", "Requirements", "Uses"], parts)),
            *section(
                "Data", [line for entity in content["data_model"] for line in _entity(entity)]
            ),
            *section("Interfaces", bullets(content["interfaces"])),
            *section("Decisions", decisions),
        ]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        for item in content["decisions"]:
            yield named(ConceptKind.DECISION, item["title"], as_lines(item))
        for item in content["data_model"]:
            yield named(ConceptKind.ENTITY, item["name"], as_lines(item))
        for line in content["interfaces"]:
            for method, path in _ENDPOINT.findall(line):
                name = f"{method} {path}"[:TITLE_MAX_CHARACTERS]
                yield ConceptPart(ConceptKind.ENDPOINT, f"endpoint/{name}"[:200], name, line)


def _entity(entity: Values) -> list[str]:
    rows = [
        [
            f["name"],
            f["type"],
            "yes" if f["required"] else "",
            "yes" if f["unique"] else "",
            ", ".join(f["choices"]),
        ]
        for f in entity["fields"]
    ]
    return [
        f"### {plain(entity['name'])}",
        "",
        *table(["Field", "Type", "Required", "Unique", "Values"], rows),
        "",
    ]
