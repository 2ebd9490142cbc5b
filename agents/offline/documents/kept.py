"""What a person wrote stays as it is; rules do not improve on it, and never restore their own."""

from typing import Any

from pydantic import BaseModel

from agents.offline.case import Case
from context.schemas import SCHEMAS

# Its requirements are added to by comments, beside what the person wrote.
GROWS = "software_specification"
NOTE = "A person changed this; the offline rules leave it exactly as it is."


def kept(case: Case, artifact_type: str) -> BaseModel | None:
    """The person's content with what became of the comments, or None where there is none."""
    own = case.assignment.own_by_person(artifact_type)
    if own is None or artifact_type == GROWS:
        return None
    schema = SCHEMAS[artifact_type]
    content = {**own.content, "feedback": [_left(one) for one in case.own_comments]}
    if "notes" in schema.model_fields:
        content["notes"] = [*(n for n in own.content["notes"] if n != NOTE), NOTE][-100:]
    return schema.model_validate(content)


def _left(comment: str) -> dict[str, Any]:
    reason = "Not covered: a person wrote this, and the offline rules do not change it."
    return {"comment": comment, "honoured": False, "response": reason}
