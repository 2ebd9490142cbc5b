"""What a model writes, where that is easier for it than the form that is stored."""

from typing import Any

from pydantic import BaseModel
from pydantic_ai import ModelRetry, RunContext

from agents.protocols import Assignment
from context.artifact_types import ContentError, Texts, artifact_types


class WrittenAnswer:
    """The form of an answer, and how it becomes `output_type` of whoever asked."""

    def __init__(self, artifact_type: str, output_type: type[BaseModel], texts: Texts) -> None:
        self.kind = artifact_types.get(artifact_type)
        self.asked = output_type
        self.texts = texts
        is_its_schema = self.kind is not None and output_type is self.kind.schema
        self.is_written = is_its_schema and self.kind.written_schema is not None
        #: What the model is asked to write.
        self.output_type = self.kind.written_schema if self.is_written else output_type
        #: As it is stored, once an answer was taken that is written otherwise.
        self.content: BaseModel | None = None

    def take(self, written: BaseModel) -> None:
        """Raises ContentError, with each field at fault."""
        content = self.kind.from_written(written.model_dump(mode="json"), self.texts)
        self.content = self.asked.model_validate(content)


def check_written(context: RunContext[WrittenAnswer], output: Any) -> Any:
    """Raises ModelRetry, of which the model is told, where what it wrote does not fit."""
    answer = context.deps
    if answer.is_written and isinstance(output, answer.output_type):
        try:
            answer.take(output)
        except ContentError as error:
            raise ModelRetry(str(error)) from error
    return output


def texts_of(assignment: Assignment) -> Texts:
    """What people said, as quotes name it."""
    texts = {("brief", 0): assignment.brief}
    texts |= {("answer", n): answer.answer for n, answer in enumerate(assignment.answers)}
    return texts | {("feedback", n): text for n, text in enumerate(assignment.feedback)}
