from typing import Any

from django.contrib.auth import authenticate
from rest_framework import serializers

from accounts.models import PersonalToken
from accounts.second_factor import check_password_is_enough
from core.authentication import Scope
from core.fields import TextField
from core.serializers import StrictSerializer


class LoginInput(StrictSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=4096, style={"input_type": "password"})

    def validate(self, attrs: dict[str, str]) -> dict[str, Any]:
        user = authenticate(self.context.get("request"), **attrs)
        if user is None:
            raise serializers.ValidationError(
                "Username or password is wrong, or the account is not active.",
                code="invalid_credentials",
            )
        check_password_is_enough(user)
        return {"user": user}


class LoginOutput(serializers.Serializer):
    token = serializers.CharField()


class TokenInput(StrictSerializer):
    name = TextField(max_length=100, help_text="What it is for, so that you know it again.")
    scopes = serializers.MultipleChoiceField(choices=Scope.choices, allow_empty=False)
    expires_at = serializers.DateTimeField(
        required=False, help_text="At most 366 days from now. Default: after TOKEN_DAYS."
    )

    def validate_scopes(self, scopes: set[str]) -> list[str]:
        return sorted(scopes)


class TokenSerializer(serializers.ModelSerializer):
    """What is known of a token. Its key was shown when it was made, and is not kept."""

    class Meta:
        model = PersonalToken
        fields = ("id", "name", "scopes", "is_login", "created_at", "expires_at", "last_used_at")
        read_only_fields = fields


class NewTokenSerializer(TokenSerializer):
    token = serializers.CharField(
        allow_null=True,
        read_only=True,
        help_text="The key, shown once: a repeat by Idempotency-Key answers null.",
    )

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")
        read_only_fields = fields
