from rest_framework import serializers

from context.enums import Form, Need
from context.models import ContextBuild


class ContextItemSerializer(serializers.Serializer):
    """One thing that was considered. Without a match, artifact and version are null."""

    need = serializers.ChoiceField(choices=Need.choices)
    asked_for = serializers.CharField()
    artifact = serializers.UUIDField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)
    artifact_type = serializers.CharField()
    title = serializers.CharField()
    part = serializers.CharField(help_text="Path of a section or id of a concept; empty: all.")
    form = serializers.ChoiceField(choices=Form.choices)
    tokens = serializers.IntegerField()
    full_tokens = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the text that was given.")
    why = serializers.CharField()
    text = serializers.CharField(default="", help_text="Of a summary; empty for other forms.")


class ContextBuildSerializer(serializers.ModelSerializer):
    """What one attempt was given of the store. An error says why it was not even asked."""

    items = ContextItemSerializer(many=True)

    class Meta:
        model = ContextBuild
        fields = (
            "id",
            "project",
            "task",
            "attempt",
            "step",
            "agent_type",
            "model",
            "budget",
            "base_tokens",
            "tokens",
            "sha256",
            "error_code",
            "error_detail",
            "items",
            "created_at",
        )
        read_only_fields = fields
