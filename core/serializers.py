from collections.abc import Iterator
from functools import cache
from typing import Any

from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

# A page of the browsable API sends it with each of its forms.
CSRF_FIELD = "csrfmiddlewaretoken"


class StrictSerializer(serializers.Serializer):
    """Input: an unknown or repeated field is an error, and never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        is_form = isinstance(data, MultiValueDict)
        names = set(data) - ({CSRF_FIELD} if is_form else set()) if hasattr(data, "keys") else set()
        fields = ", ".join(sorted(self.fields)) or "none"
        detail = f"Unknown field. Known fields: {fields}."
        errors = {
            name: [ErrorDetail(detail, code="unknown_field")]
            for name in sorted(names - set(self.fields))
        }
        # Of a form, fields and files alike: only the last of several values would count.
        for name, values in data.lists() if is_form else ():
            if faults := list(faults_of(values)):
                errors[name] = faults
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **errors}) from error
        if errors:
            raise serializers.ValidationError(errors)
        return value


def faults_of(values: list[Any]) -> Iterator[ErrorDetail]:
    """What is wrong with the values of one name, whatever it means."""
    if len(values) > 1:
        yield ErrorDetail(f"Sent {len(values)} times. Send it once.", code="repeated")
    # Django puts this character in place of bytes that it cannot decode.
    if any(isinstance(value, str) and "\N{REPLACEMENT CHARACTER}" in value for value in values):
        yield ErrorDetail("Not valid UTF-8. Send text in UTF-8.", code="not_utf8")


def represent(serializer: type[serializers.Serializer], instance: Any) -> dict[str, Any]:
    """As `serializer(instance).data`, of one that needs no context.

    Its fields are built once; for a single object that takes longer than all the rest.
    """
    return _shared(serializer).to_representation(instance)


@cache
def _shared(serializer: type[serializers.Serializer]) -> serializers.Serializer:
    return serializer()


class NoInput(StrictSerializer):
    """The request needs no body."""


class FieldErrorSerializer(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """An error (RFC 9457). `code` is stable; `errors` names the fields of bad input."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True, required=False)
