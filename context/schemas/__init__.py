"""What the content of each artifact type looks like, and the one way to check it."""

from typing import Any

from pydantic import BaseModel, ValidationError

from context.schemas.code import SourceCode, TestResults
from context.schemas.conversation import AgentOutput, HitlResponse
from context.schemas.delivery import DeploymentLog, DeploymentPackage
from context.schemas.design import ImplementationPlan, SystemArchitecture
from context.schemas.fields import TEXT_MAX_CHARACTERS
from context.schemas.planning import ProjectPlan, UserInput
from context.schemas.specification import SoftwareSpecification

TOO_LONG = {"string_too_long", "files_too_long"}

__all__ = ["SCHEMAS", "ContentError", "validate_content"]

SCHEMAS: dict[str, type[BaseModel]] = {
    "user_input": UserInput,
    "project_plan": ProjectPlan,
    "software_specification": SoftwareSpecification,
    "system_architecture": SystemArchitecture,
    "implementation_plan": ImplementationPlan,
    "source_code": SourceCode,
    "test_results": TestResults,
    "deployment_log": DeploymentLog,
    "deployment_package": DeploymentPackage,
    "agent_output": AgentOutput,
    "hitl_response": HitlResponse,
}


class ContentError(ValueError):
    """Content that does not fit its type. `errors` are of the form {field, code, detail}.

    `limit` is the number of characters that a text is longer than, if it is none but too long.
    """

    def __init__(self, errors: list[dict[str, str]], limit: int | None = None) -> None:
        super().__init__("; ".join(f"{e['field'] or 'content'}: {e['detail']}" for e in errors[:5]))
        self.errors = errors
        self.limit = limit


def validate_content(artifact_type: str, content: Any) -> dict[str, Any]:
    """The content as JSON, with defaults filled in. Raises ContentError.

    It is taken at its word, as its JSON Schema is: a text is no number, and "yes" is not true.
    """
    schema = SCHEMAS.get(artifact_type)
    if schema is None:
        raise ContentError([_unknown_type(artifact_type)])
    try:
        return schema.model_validate(content, strict=True).model_dump(mode="json")
    except ValidationError as error:
        items = error.errors()[:50]
        raise ContentError([_readable(item) for item in items], _exceeded(items)) from error


def _unknown_type(artifact_type: str) -> dict[str, str]:
    known = ", ".join(SCHEMAS)
    detail = f"Unknown artifact type {artifact_type!r}; one of: {known}."
    return {"field": "artifact_type", "code": "unknown_artifact_type", "detail": detail}


def _exceeded(items: list[Any]) -> int | None:
    """The limit, where nothing is wrong but that long texts are longer than may be stored."""
    limits = [item.get("ctx", {}).get("max_length", 0) for item in items]
    is_long = all(item["type"] in TOO_LONG for item in items)
    return limits[0] if is_long and min(limits) >= TEXT_MAX_CHARACTERS else None


def _readable(item: Any) -> dict[str, str]:
    field = ".".join(str(part) for part in item["loc"])
    return {"field": field, "code": str(item["type"]), "detail": str(item["msg"])}
