"""A role."""

from agents.protocols import Assignment, Completed, Model, Output, Usage
from agents.role import role
from projects.enums import Phase


@role("reviewer", phase=Phase.VALIDATE)
class Reviewer:
    instructions = "Read what others wrote and say what is missing."

    def run(self, assignment: Assignment, model: Model) -> Completed:
        content = {"summary": "Reviewed.", "body": "Nothing is missing."}
        return Completed((Output("agent_output", "Review", content),), Usage("none"))
