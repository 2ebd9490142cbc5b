"""The model that serves where none is connected: it quotes the brief, and claims nothing."""

from typing import Any

from pydantic import BaseModel

from agents.protocols import Assignment, Material, PermanentError, Questions, Reply, Usage
from agents.providers.demo import documents
from agents.providers.demo.brief import storable
from agents.providers.demo.case import Case
from agents.providers.demo.recording import LABEL as RECORDED
from agents.providers.demo.recording import play, recording_of
from agents.providers.prompts import prompt_for, prompt_sha256

# Bytes, since a Chinese character says more than a Latin letter. Less is hardly a brief.
SHORTEST_BRIEF = 25
KEPT = "A person changed this; the demo model leaves it exactly as it is."
SHORT = "The brief is so short that there is hardly anything to quote."
QUESTION = "What is to be built, and for whom? Whatever you answer is quoted in what follows."


class DemoModel:
    """Serves every role. It never replaces a model that the settings name."""

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        """Quotes, or the recording of an example. Raises PermanentError."""
        case = Case(assignment)
        is_remark = artifact_type == "agent_output" and assignment.agent_type != "orchestrator"
        recording = None if is_remark else recording_of(case)
        name = "recorded-1" if recording else "quotes-1"
        own = assignment.own_by_person(artifact_type)
        # Asks once where the brief is very short, and always where there is nothing to quote.
        may_ask = artifact_type != "deployment_log" and not is_remark
        is_short = len(storable(assignment.brief).strip().encode()) < SHORTEST_BRIEF
        is_first = artifact_type == "agent_output" and not case.clarifications
        content: dict[str, Any] | Questions
        if artifact_type not in documents.TEXTS:
            raise PermanentError("not_in_demo", f"The demo model writes no {artifact_type}.")
        if own:
            notes, content = KEPT, _kept(case, own, output_type)
        elif recording:
            notes, content = RECORDED, play(recording, case, artifact_type)
        elif may_ask and (not case.requirements or (is_short and is_first)):
            notes, content = SHORT, Questions((QUESTION,), SHORT)
        else:
            notes, content = documents.WORDS["label"], documents.write(case, artifact_type)
        sha256 = prompt_sha256(name, prompt_for(assignment, artifact_type), output_type)
        usage = Usage("demo", name, calls=1, input_tokens=0, output_tokens=0, cost_micros=0)
        answer = output_type.model_validate(content) if isinstance(content, dict) else content
        return Reply(answer, usage, notes, sha256)


def _kept(case: Case, own: Material, output_type: type[BaseModel]) -> dict[str, Any]:
    """What a person wrote, with the comments of others quoted beside it."""
    content = own.content | {"feedback": documents.feedback(case, KEPT)}
    if "notes" in output_type.model_fields:
        notes = [note for note in own.content["notes"] if note != KEPT]
        content["notes"] = [*notes, KEPT][-100:]
    return content
