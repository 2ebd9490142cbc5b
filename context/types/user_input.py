"""What a person handed in: the brief, a file, an amendment."""

from collections.abc import Iterator

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Content, LongText
from context.markdown import fenced
from context.parts.concepts import ConceptPart, find_marked

USER_INPUT = "user_input"


class UserInput(Content):
    """Words of a person, as they were given."""

    text: LongText = Field(min_length=1, description="The text, word for word.")


@artifact_type("user_input", title="Brief", order=0)
class UserInputType(ArtifactType):
    schema = UserInput
    comes_from_people = True
    markdown_fields = frozenset({"text"})

    def render(self, content: Values) -> list[str]:
        return ["# Brief", "", *fenced(content["text"], "text")]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        yield from find_marked(content["text"])
