"""An artifact type."""

from collections.abc import Iterator

from pydantic import Field

from context.artifact_types import ArtifactType, Values, artifact_type
from context.content_fields import Content, Line
from context.enums import ConceptKind
from context.markdown import bullets, document_title
from context.parts.concepts import ConceptPart, named


class RiskList(Content):
    """What may go wrong."""

    title: Line = Field(description="Name of the product.")
    risks: list[Line] = Field(max_length=50, description="Risks, gravest first.")


@artifact_type("risk_list", title="Risk list")
class RiskListType(ArtifactType):
    schema = RiskList

    def render(self, content: Values) -> list[str]:
        return [*document_title(content, "Risks"), *bullets(content["risks"])]

    def concepts(self, content: Values) -> Iterator[ConceptPart]:
        for risk in content["risks"]:
            yield named(ConceptKind.DECISION, risk, risk)
