"""What an agent wrote that is none of the others."""

from collections.abc import Iterator

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Clarifications, Content, Feedback, LongText, Text
from context.markdown import plain, without_html
from context.parts.concepts import ConceptPart, find_marked, find_questions

AGENT_OUTPUT = "agent_output"


class AgentOutput(Content):
    """A free answer of an agent."""

    summary: Text = Field(description="The answer in one or two sentences.")
    body: LongText = Field(description="The whole answer, as Markdown.")
    clarifications: Clarifications = Field(default_factory=list)
    feedback: Feedback = Field(default_factory=list)


@artifact_type("agent_output", title="Agent output", order=90)
class AgentOutputType(ArtifactType):
    schema = AgentOutput
    markdown_fields = frozenset({"body"})

    def render(self, content: Values) -> list[str]:
        return [f"> {plain(content['summary'])}", "", without_html(content["body"]), ""]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        yield from find_marked(content["body"])
        if "clarifications" in content:
            yield from find_questions(content)
