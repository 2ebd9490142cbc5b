"""The model that needs no network: deterministic rules over the words of people."""

from pydantic import BaseModel

from agents.offline import VERSION
from agents.offline.case import Case
from agents.offline.documents import WRITERS
from agents.offline.documents.kept import kept
from agents.offline.questions import questions_for
from agents.protocols import Assignment, PermanentError, Reply, Usage
from agents.providers.prompts import prompt_for, prompt_sha256


class OfflineModel:
    """Serves every role. Never a stand-in for a model that somebody pays for."""

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        """Content by rules, or questions where the words say too little. Raises PermanentError."""
        writer = WRITERS.get(artifact_type)
        if writer is None:
            raise PermanentError("not_offline", f"The offline rules cannot write {artifact_type}.")
        case = Case(assignment)
        content = kept(case, artifact_type) or questions_for(case, artifact_type) or writer(case)
        notes = f"Written by the offline rules, version {VERSION}."
        return Reply(content, USAGE, notes, _given(assignment, artifact_type, output_type))


def _given(assignment: Assignment, artifact_type: str, output_type: type[BaseModel]) -> str:
    """The rules read what a model would read, and their version stands for the instructions."""
    return prompt_sha256(f"rules-{VERSION}", prompt_for(assignment, artifact_type), output_type)


USAGE = Usage(
    "offline", f"rules-{VERSION}", calls=1, input_tokens=0, output_tokens=0, cost_micros=0
)
