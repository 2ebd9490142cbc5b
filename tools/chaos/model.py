import json
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from agents.protocols import Assignment, Questions, Reply, TransientError, Usage
from tools.chaos.ledger import Ledger

FIRST_LINE = "# Chaos "


@dataclass(frozen=True)
class Mood:
    """How the model behaves in a project; the first line of the brief says so."""

    seed: int = 0
    errors: float = 0.0
    questions: float = 0.0
    seconds: float = 0.0
    poison: str = ""

    def as_brief(self) -> str:
        return f"{FIRST_LINE}{json.dumps(self.__dict__)}\n\nA project that has to survive."

    @classmethod
    def of_brief(cls, brief: str) -> "Mood":
        first = brief.splitlines()[0]
        return cls(**json.loads(first.removeprefix(FIRST_LINE)))


class ChaosModel:
    """Answers at once, unless its mood is another; each answer is an effect in the ledger."""

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        mood, usage = Mood.of_brief(assignment.brief), Usage("chaos", calls=1)
        chance = random.Random(f"{mood.seed}:{assignment.step}:{assignment.fence}")
        if mood.poison == assignment.step:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(mood.seconds)
        if chance.random() < mood.errors:
            raise TransientError("overloaded", "The model is busy.", usage=usage)
        if chance.random() < mood.questions and not assignment.answers:
            return Reply(Questions(("Which one?",)), usage)
        ledger = Ledger(Path(os.environ["CHAOS_HOME"]) / "ledger.jsonl")
        receipt = ledger.call(assignment.key, assignment.fence)
        return Reply(output_type.model_validate({"summary": receipt, "body": "Done."}), usage)
