from typing import Any

from rest_framework import serializers

from audit.models import Event
from audit.serialization import to_wire


class EventSerializer(serializers.ModelSerializer):
    """Describes the wire form for the schema; the form itself is made in `audit.serialization`."""

    created_at = serializers.CharField(
        read_only=True, help_text="UTC, microseconds: `2026-01-31T12:00:00.000000Z`."
    )
    data = serializers.DictField(read_only=True)
    metadata = serializers.DictField(read_only=True)

    class Meta:
        model = Event
        fields = (
            "id",
            "project",
            "epoch",
            "sequence",
            "event_type",
            "event_source",
            "actor",
            "task",
            "hitl_request",
            "data",
            "salt",
            "metadata",
            "created_at",
            "payload_hash",
            "previous_hash",
            "hash",
        )
        read_only_fields = fields

    def to_representation(self, instance: Event) -> dict[str, Any]:
        return to_wire(instance)


class VerifyQuerySerializer(serializers.Serializer):
    project = serializers.UUIDField()


class VerificationSerializer(serializers.Serializer):
    valid = serializers.BooleanField()
    events = serializers.IntegerField(help_text="Verified, up to the first that is broken.")
    head_sequence = serializers.IntegerField()
    head_hash = serializers.CharField(allow_blank=True)
    first_broken_sequence = serializers.IntegerField(allow_null=True)
    erased = serializers.IntegerField(help_text="Events whose payload was erased, by record.")
    beyond_head = serializers.IntegerField(
        help_text="Rows in the table of events that are in no chain: Paraph did not write them. "
        "They are shown nowhere, and the log is not valid."
    )


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
