import json
from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

from core.errors import InvalidInput


class JSONParser(parsers.JSONParser):
    """Keeps to the body limit, and refuses JSON that is nested too deeply or repeats a name."""

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
    """For NaN and Infinity, which Python would accept."""
    raise ValueError(f"{text} is not JSON")


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a repeated name some programs read the first value and others the last."""
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise InvalidInput.of(name, "repeated", f"{name!r} is repeated. Send it once.")
        content[name] = value
    return content
