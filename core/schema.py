import inspect
import re
from typing import Any

from django.db.models import TextChoices
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema as BaseAutoSchema
from drf_spectacular.plumbing import _load_enum_name_overrides, get_doc
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import ChoiceField

from core.api_names import TAGS
from core.idempotency import KEY_MAX_LENGTH
from core.serializers import ProblemSerializer

SAFE = {"GET", "HEAD", "OPTIONS"}
PROBLEM = "application/problem+json"
ERRORS = {
    "400": "Bad input: `errors` names each field.",
    "401": "Not logged in.",
    "403": "The caller may see it, but may not do this; `code` says why.",
    "404": "It does not exist, or the caller may not see it.",
    "409": "Its state does not allow it; `code` and `detail` say what to do. "
    "`erased`: what the project held is gone for good.",
    "413": "Over a limit, which `detail` names.",
    "415": "The body is not JSON.",
    "429": "Too many requests, or tries to log in; `Retry-After` says when to come back.",
    "422": "Well-formed, but not acceptable; `code` says why.",
    "503": "The database, or something else that this needs, is away; `code` says what. Come back "
    "later, after `Retry-After` where it is given.",
    "507": "`disk_full`: nothing can be written now; come back after `Retry-After`.",
}
ERRORS_OF_READING = ("400", "401", "403", "404", "429", "503")
#: Of what reads whole contents, and of what makes documents of them.
CONTENT_CHANGED = {
    (409, PROBLEM): OpenApiResponse(
        ProblemSerializer, "`integrity`: a content was changed outside of Paraph."
    )
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of what the caller has: 304 where it is still so.",
)
ETAG = OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200, 304])
NOT_MODIFIED = {304: OpenApiResponse(description="It is still as `If-None-Match` says.")}
IDEMPOTENCY_KEY_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_MAX_LENGTH,
    "pattern": "^[ -~]+$",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    IDEMPOTENCY_KEY_SCHEMA,
    OpenApiParameter.HEADER,
    description="The same key and body replays the first answer. Visible ASCII characters.",
)
SENTENCE = re.compile(r"(.+?)\.?(?=\s*$|\.\s)", re.DOTALL)
# What is said of operations that have no words of their own.
SUMMARIES = {"list": "List {things}", "retrieve": "Show one {thing}"}


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
    """Adds what every operation has: names, the idempotency key and the shape of errors."""

    method_mapping = BaseAutoSchema.method_mapping | {"patch": "update"}

    def get_operation_id(self) -> str:
        """The words of the path, and what is done with it unless its last word is a verb."""
        operation_id = super().get_operation_id()
        is_verb = self.method == "POST" and getattr(self.view, "action", "") != "create"
        return operation_id.removesuffix("_create") if is_verb else operation_id

    def get_summary(self) -> str:
        """The first sentence of the description."""
        name = getattr(self.view, "action", self.method.lower())
        is_plain = name in SUMMARIES and not get_doc(getattr(self.view, name))
        # What can only be listed says so itself.
        if is_plain and hasattr(self.view, "retrieve"):
            model = self.view.queryset.model._meta
            things = {"thing": model.verbose_name, "things": model.verbose_name_plural}
            return SUMMARIES[name].format(**things)
        return " ".join(SENTENCE.match(self.get_description())[1].split())

    def get_tags(self) -> list[str]:
        """What is below a project belongs to its own kind of thing, where that has a tag."""
        words = self._tokenize_path()
        return [next((word for word in words[1:2] if word in TAGS), words[0])]

    def get_override_parameters(self) -> list[OpenApiParameter]:
        return [] if self.method in SAFE else [IDEMPOTENCY_KEY]

    def _map_serializer(self, serializer: Any, *args: Any) -> Any:
        """What a view names may be an object, which keeps its fields and their first choices."""
        vars(serializer).pop("fields", None)
        return super()._map_serializer(serializer, *args)

    def _map_serializer_field(self, field: Any, direction: Any, *args: Any) -> Any:
        """What may be blank in the database may be blank in an answer; anything may be null."""
        if isinstance(field, ChoiceField) and field.read_only:
            model = getattr(getattr(field.parent, "Meta", None), "model", None)
            columns = model._meta.concrete_fields if model else ()
            if any(column.name == field.source and column.blank for column in columns):
                field.allow_blank = True
        schema = super()._map_serializer_field(field, direction, *args)
        if {} in schema.get("oneOf", ()):
            del schema["oneOf"]
        return schema

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses = super()._get_response_bodies(direction)
        codes = ERRORS_OF_READING if self.method in SAFE else tuple(ERRORS)
        for code in codes:
            if code not in responses:
                problem = OpenApiResponse(ProblemSerializer, ERRORS[code])
                responses[code] = self._get_response_for_code(problem, code, [PROBLEM], direction)
        return responses


def forget_choices(endpoints: list[Any], **_: Any) -> list[Any]:
    """Kinds may have come since the last description; it finds the names of lists by what is in
    them, and keeps what was in them."""
    _load_enum_name_overrides.cache_clear()
    return endpoints


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
