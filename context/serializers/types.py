from rest_framework import serializers

from context.artifact_types import artifact_type_choices
from core.fields import KindField


class ArtifactTypeSerializer(serializers.Serializer):
    artifact_type = KindField(choices=artifact_type_choices)
    description = serializers.CharField()
    max_bytes = serializers.IntegerField(help_text="Of the content as canonical JSON; else 413.")
    schema = serializers.DictField(help_text="JSON Schema, draft 2020-12.")


class ArtifactTypesSerializer(serializers.Serializer):
    """As a list is, and all on one page."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ArtifactTypeSerializer(many=True)
