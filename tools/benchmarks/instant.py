import random

from pydantic import BaseModel

from agents.protocols import Assignment, Reply, Usage

SIZE = 2_000
WORDS = ("step", "work", "order", "part", "plan", "note", "test", "page", "form", "rule")


def prose(size: int = SIZE) -> str:
    """The same each time, of words by chance, so that the database cannot pack it away."""
    luck = random.Random(7)
    words = (f"{luck.choice(WORDS)}{luck.randrange(1000)}" for _ in range(size))
    return " ".join(words)[:size]


PROSE = prose()


class InstantModel:
    """Answers at once with 2 kB, no two alike, so that what is measured is ours."""

    def produce(
        self,
        assignment: Assignment,
        *,
        artifact_type: str,
        output_type: type[BaseModel],
        instructions: str,
    ) -> Reply:
        content = {"summary": "Done.", "body": f"{assignment.key} {PROSE}"}
        return Reply(output_type.model_validate(content), Usage("instant"))
