"""JSON Schemas that an asker sends along, and what people write by them."""

from collections.abc import Iterator
from typing import Any

import jsonschema

from core.errors import InvalidInput
from hitl.agent_actions.digests import check_texts
from hitl.models import AgentAction

# Keywords below which stand names that are free, and those below which stands no schema.
NAMES = {"properties", "$defs", "definitions", "dependentSchemas"}
VALUES = {"const", "enum", "default", "examples"}


def check_schema(field: str, schema: Any) -> None:
    """Raises InvalidInput where it is no JSON Schema that is complete in itself."""
    if schema is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        detail = f"This is no JSON Schema (2020-12): {error.message}."
        raise InvalidInput.of(field, "invalid_schema", detail) from error
    used = set(keywords(schema))
    if used & {"$ref", "$dynamicRef"}:
        raise InvalidInput.of(field, "reference", "Write the schema out, without `$ref`.")
    if used & {"pattern", "patternProperties"}:
        # A pattern can be made to run for hours.
        raise InvalidInput.of(field, "pattern", "Leave `pattern` and `patternProperties` out.")


def keywords(schema: Any) -> Iterator[str]:
    """All that it says anywhere; names of properties and plain values are none."""
    if isinstance(schema, list):
        for part in schema:
            yield from keywords(part)
    elif isinstance(schema, dict):
        for name, part in schema.items():
            yield name
            if name in NAMES and isinstance(part, dict):
                yield from keywords(list(part.values()))
            elif name not in VALUES:
                yield from keywords(part)


def checked_arguments(action: AgentAction, content: Any) -> Any:
    """A person's own arguments. Raises InvalidInput, and Unprocessable for what is not exact."""
    if not isinstance(content, dict):
        raise InvalidInput.of("content", "invalid", "Send the changed arguments as an object.")
    check_texts(content)
    if action.edit_schema is not None:
        _check_by_schema(action.edit_schema, content)
    return content


def checked_answer(action: AgentAction, content: Any) -> Any:
    """What a person replies instead. Raises as `checked_arguments`."""
    check_texts(content)
    if action.response_schema is not None:
        _check_by_schema(action.response_schema, content)
    elif not isinstance(content, str) or not content.strip():
        raise InvalidInput.of("content", "invalid", "Send the answer as text.")
    return content


def _check_by_schema(schema: dict[str, Any], content: Any) -> None:
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(content))
    if errors:
        raise InvalidInput(
            "invalid",
            f"content: {errors[0].message[:300]}",
            errors=[
                {
                    "field": ".".join(["content", *map(str, error.absolute_path)]),
                    "code": "invalid",
                    "detail": error.message[:500],
                }
                for error in errors[:20]
            ],
        )
