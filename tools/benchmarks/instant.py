from pydantic import BaseModel

from agents.protocols import Assignment, Reply, Usage

SUMMARY = {"summary": "Done.", "body": "The work of this step, in one sentence."}


class InstantModel:
    """Answers at once, so that what is measured is ours."""

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        return Reply(output_type.model_validate(SUMMARY), Usage("instant"))
