import json
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

from core.errors import InvalidInput


class JSONParser(parsers.JSONParser):
    """Keeps to the body limit, and answers deep nesting with an error instead of failing."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        # Django checks the size only where the body is asked for as a whole.
        body = stream.body if hasattr(stream, "body") else stream.read()
        try:
            return json.loads(
                body.decode(), parse_constant=refuse_constant, object_pairs_hook=unique_names
            )
        except ValueError as error:
            raise ParseError(f"JSON parse error - {error}") from error
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


def refuse_constant(text: str) -> None:
    """For `NaN` and `Infinity`, which Python would take."""
    raise ValueError(f"{text} is not JSON")


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a repeated name some programs read the first value and others the last."""
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidInput.of(name, "repeated", f"{name!r} is there more than once. Send one.")
        values[name] = value
    return values
