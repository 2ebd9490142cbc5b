from typing import Any

from django.contrib.auth import authenticate
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from api.fields import TextField


class StrictSerializer(serializers.Serializer):
    """Input: a field that is not known is an error, not a silent nothing."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if hasattr(data, "keys") else []
        try:
            known = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(
                {**error.detail, **self._complaints(unknown)}
            ) from error
        if unknown:
            raise serializers.ValidationError(self._complaints(unknown))
        return known

    def _complaints(self, unknown: list[str]) -> dict[str, list]:
        known = ", ".join(sorted(self.fields)) or "none"
        detail = f"There is no such field. Known fields: {known}."
        return {name: [ErrorDetail(detail, code="unknown_field")] for name in unknown}


class NoInput(StrictSerializer):
    """The request needs no body."""


class TokenInput(StrictSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=4096, style={"input_type": "password"})

    def validate(self, attrs: dict[str, str]) -> dict[str, Any]:
        user = authenticate(self.context.get("request"), **attrs)
        if user is None:
            raise serializers.ValidationError(
                "Username or password is wrong, or the account is not active.",
                code="invalid_credentials",
            )
        return {"user": user}


class TokenOutput(serializers.Serializer):
    token = serializers.CharField()


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
