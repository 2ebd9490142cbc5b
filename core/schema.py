import inspect
import re
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as BaseAutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import ChoiceField

from core.serializers import ProblemSerializer

SAFE = {"GET", "HEAD", "OPTIONS"}
PROBLEM = "application/problem+json"
ERRORS = {
    "400": "Bad input: `errors` names each field.",
    "401": "Not logged in.",
    "403": "The caller may see it, but may not do this; `code` says why.",
    "404": "It does not exist, or the caller may not see it.",
    "409": "Its state does not allow it; `code` and `detail` say what to do.",
    "413": "Over a limit, which `detail` names.",
    "415": "The body is not JSON.",
    "429": "Too many requests, or tries to log in; `Retry-After` says when to come back.",
    "422": "Well-formed, but not acceptable; `code` says why.",
}
ERRORS_OF_READING = ("400", "401", "403", "404", "429")


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "core.authentication.KeyAuthentication"
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <key>`. The scope of a key decides what it opens: `read` for "
            "what changes nothing, `decide` for decisions, comments and claims of requests, "
            "`manage` for everything else. 403 `scope_missing` names the scope that is missing.",
        }


class AutoSchema(BaseAutoSchema):
    """Adds what every operation has: the idempotency key and the shape of errors."""

    def get_override_parameters(self) -> list[OpenApiParameter]:
        if self.method in SAFE:
            return []
        return [
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="The same key and body replays the first answer.",
            )
        ]

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any) -> Any:
        """What may be blank in the database may be blank in an answer."""
        if isinstance(field, ChoiceField) and field.read_only:
            model = getattr(getattr(field.parent, "Meta", None), "model", None)
            columns = model._meta.concrete_fields if model else ()
            if any(column.name == field.source and column.blank for column in columns):
                field.allow_blank = True
        return super()._map_serializer_field(field, direction, *args)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        codes = ERRORS_OF_READING if self.method in SAFE else tuple(ERRORS)
        for code in codes:
            if code not in responses:
                problem = OpenApiResponse(ProblemSerializer, ERRORS[code])
                responses[code] = self._get_response_for_code(problem, code, [PROBLEM], direction)
        return responses


def describe_choices(result: Any, **_: Any) -> Any:
    """Where a description lists choices by their labels, tell their meanings instead.

    The meaning of a choice is the `#:` comment above it; what has none keeps its label.
    """
    texts = dict(_choice_lists(choices) for choices in TextChoices.__subclasses__())

    def describe(part: Any) -> None:
        if isinstance(part, list):
            for item in part:
                describe(item)
        elif isinstance(part, dict):
            description = part.get("description")
            if isinstance(description, str) and "* `" in description:
                for labels, meanings in texts.items():
                    description = description.replace(labels, meanings)
                part["description"] = description
            for item in part.values():
                describe(item)

    describe(result)
    return result


def _choice_lists(choices: type[TextChoices]) -> tuple[str, str]:
    source = inspect.getsource(choices)
    comments = {
        name: " ".join(re.findall(r"#: *(.*)", comment))
        for comment, name in re.findall(r"((?:^ +#:.*\n)+) +(\w+) =", source, re.MULTILINE)
    }
    labels = (f"* `{choice.value}` - {choice.label}" for choice in choices)
    meanings = (f"* `{c.value}` - {comments.get(c.name, c.label)}" for c in choices)
    return "\n".join(labels), "\n".join(meanings)
