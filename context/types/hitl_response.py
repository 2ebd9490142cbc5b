"""What a person answered or decided."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Content, Line, LongText, OptionalLine, Text
from context.markdown import bullets, fenced, plain, section
from context.parts.concepts import ConceptPart, question

HITL_RESPONSE = "hitl_response"


class HitlResponse(Content):
    """What a person answered or decided."""

    questions: list[Text] = Field(max_length=20, description="What was asked; empty for a comment.")
    answer: LongText = Field(description="The answer or comment, word for word.")
    answered_by: OptionalLine = Field("", description="Who said it.")
    action: Line | Literal[""] = Field(
        "", description="The decision it belongs to, such as answer."
    )


@artifact_type("hitl_response", title="Response", order=100)
class HitlResponseType(ArtifactType):
    schema = HitlResponse
    comes_from_people = True
    markdown_fields = frozenset({"answer"})

    def render(self, content: Values) -> list[str]:
        questions = section("Questions", bullets(content["questions"]))
        author = f" ({plain(content['answered_by'])})" if content["answered_by"] else ""
        return [
            "# Response",
            "",
            *questions,
            f"## Answer{author}",
            "",
            *fenced(content["answer"], "text"),
        ]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        for words in content["questions"]:
            yield question(words, content["answer"])
