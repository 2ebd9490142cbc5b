"""What the product must do, each requirement traceable to the words it came from."""

import re
from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from context.artifact_types import ArtifactType, ContentError, Texts, Values, artifact_type
from context.content_fields import (
    Clarifications,
    Content,
    Count,
    Feedback,
    Line,
    LongText,
    NotCoveredList,
    RequirementId,
    Text,
    duplicates,
)
from context.enums import ConceptKind
from context.markdown import bullets, document_title, plain, section
from context.parts.concepts import ConceptPart, find_questions
from context.parts.headings import TITLE_MAX_CHARACTERS
from context.parts.sections import as_lines

PLAIN_MARKS = str.maketrans("“”„«»‘’‚–—", '"""""\'\'\'--')


class Span(Content):
    """Where in the words of a person something is said. Offsets count characters (code points)."""

    source: Literal["brief", "answer", "feedback"] = Field(
        description="Which text: the brief, an answer to a clarification, or a comment."
    )
    number: Count = Field(0, description="Which answer or comment, from 0; 0 for the brief.")
    start: Count = Field(description="Offset of the first character.")
    end: Count = Field(description="Offset after the last character.")
    quote: LongText = Field(min_length=1, description="Exactly the characters from start to end.")

    @model_validator(mode="after")
    def _quote_fits(self) -> Self:
        if self.end - self.start != len(self.quote):
            raise ValueError("quote must have exactly end - start characters")
        return self


class Requirement(Content):
    """One thing that the product must do or be."""

    id: RequirementId = Field(
        description="Stable id, such as FR-1 (functional) or NFR-1 (quality)."
    )
    kind: Literal["functional", "quality", "constraint", "undecided"] = Field(
        description="Which kind it is; undecided if nobody has thought about it yet."
    )
    title: Line = Field(description="A few words to call it by.")
    statement: Text = Field(description="The requirement, in one or two sentences.")
    priority: Literal["must", "should", "could", "undecided"] = Field(
        description="How much it is needed; undecided if nobody has thought about it yet."
    )
    acceptance_criteria: list[Text] = Field(
        max_length=30, description="Checks that show it is met; concrete enough to be tested."
    )
    spans: list[Span] = Field(
        max_length=20, description="The words it came from; empty if it came from nobody's words."
    )


class Quote(Content):
    """Words of a person, as they stand in their text."""

    source: Literal["brief", "answer", "feedback"] = Field(
        description="Which text: the brief, an answer to a clarification, or a comment."
    )
    number: Count = Field(0, description="Which answer or comment, from 0; 0 for the brief.")
    quote: LongText = Field(min_length=1, description="The words, exactly as they stand there.")


class WrittenRequirement(Requirement):
    """One thing that the product must do or be."""

    spans: list[Quote] = Field(
        max_length=20, description="The words it came from; empty if it came from nobody's words."
    )


class SoftwareSpecification(Content):
    """All requirements of the product."""

    title: Line = Field(description="Name of the product.")
    summary: Text = Field(description="What the product does, in a few sentences.")
    product_kind: Line = Field(description="What kind of software it is, in a few words.")
    actors: list[Line] = Field(max_length=30, description="Who uses it.")
    requirements: list[Requirement] = Field(
        min_length=1, max_length=300, description="The requirements, in the order of the brief."
    )
    out_of_scope: list[Text] = Field(max_length=200, description="What it will not do.")
    assumptions: list[Text] = Field(max_length=100, description="What was assumed where unsaid.")
    not_covered: NotCoveredList = Field(default_factory=list)
    clarifications: Clarifications = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        if twice := duplicates([requirement.id for requirement in self.requirements]):
            raise ValueError(f"requirement ids must be unique: {', '.join(twice)}")
        return self


class WrittenSpecification(SoftwareSpecification):
    """All requirements of the product."""

    requirements: list[WrittenRequirement] = Field(
        min_length=1, max_length=300, description="The requirements, in the order of the brief."
    )


@artifact_type("software_specification", title="Software specification", order=20)
class SoftwareSpecificationType(ArtifactType):
    schema = SoftwareSpecification
    # No model counts characters.
    written_schema = WrittenSpecification

    def from_written(self, content: Values, texts: Texts) -> Values:
        """Each quote gets its place in the text that it is from."""
        errors, requirements = [], []
        for number, requirement in enumerate(content["requirements"]):
            spans = []
            for position, span in enumerate(requirement["spans"]):
                text = texts.get((span["source"], span["number"]), "")
                if place := find_quote(text, span["quote"]):
                    start, end = place
                    spans.append(span | {"start": start, "end": end, "quote": text[start:end]})
                else:
                    field = f"requirements.{number}.spans.{position}.quote"
                    where = f"{span['source']} {span['number']}".removesuffix(" 0")
                    detail = f"These words do not stand in the {where}; quote them word for word."
                    errors.append({"field": field, "code": "not_found", "detail": detail})
            requirements.append(requirement | {"spans": spans})
        if errors:
            raise ContentError(errors)
        return content | {"requirements": requirements}

    def render(self, content: Values) -> list[str]:
        requirements = [line for r in content["requirements"] for line in _requirement(r)]
        return [
            *document_title(content, "Software specification"),
            plain(content["summary"]),
            "",
            *section("Actors", bullets(content["actors"])),
            *section("Requirements", requirements),
            *section("Out of scope", bullets(content["out_of_scope"])),
            *section("Assumptions", bullets(content["assumptions"])),
        ]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        for item in content["requirements"]:
            title = f"{item['id']} {item['title']}"[:TITLE_MAX_CHARACTERS]
            yield ConceptPart(ConceptKind.REQUIREMENT, item["id"], title, as_lines(item))
        yield from find_questions(content)


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where words stand in a text; spaces, quotation marks and capitals may differ."""
    if (start := text.find(quote)) >= 0:
        return start, start + len(quote)
    words = quote.translate(PLAIN_MARKS).split()
    pattern = r"\s+".join(re.escape(word) for word in words)
    # One character each, so places stay what they are.
    found = re.search(pattern, text.translate(PLAIN_MARKS), re.IGNORECASE) if words else None
    return found.span() if found else None


def _requirement(item: Values) -> list[str]:
    where = [
        f"{plain(s['source'])} {s['start']} to {s['end']}: “{plain(s['quote'])}”"
        for s in item["spans"]
    ]
    priority = f"{plain(item['kind'])}, {plain(item['priority'])}"
    if item["kind"] == item["priority"] == "undecided":
        priority = "kind and priority undecided"
    return [
        f"### {plain(item['id'])} {plain(item['title'])}",
        "",
        f"{plain(item['statement'])} ({priority})",
        "",
        *bullets(item["acceptance_criteria"]),
        *[f"- From the {span}" for span in where],
        "",
    ]
