from typing import Any

from rest_framework import serializers

from audit.filters import BIGGEST_SEQUENCE
from audit.models import Checkpoint, Event
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


class CheckpointVerificationSerializer(serializers.Serializer):
    holds = serializers.BooleanField(
        allow_null=True, help_text="Null: nobody has checked it; the detail says why."
    )
    detail = serializers.CharField(help_text="What was checked, and what came of it.")
    checked_by = serializers.CharField(
        allow_blank=True,
        help_text="`server`: this answer's, from the signature; `schedule`: an hourly look.",
    )
    checked_at = serializers.DateTimeField(allow_null=True, help_text="Of the schedule's look.")
    size = serializers.IntegerField(
        allow_null=True, help_text="Events of the installation that were signed."
    )
    covered = serializers.IntegerField(allow_null=True, help_text="Events of this log among them.")


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

    rows_checked = serializers.IntegerField(
        help_text="Rows of other tables (decisions, requests, versions, members, policies), and "
        "events about them, that were held against each other."
    )
    first_row_problem = serializers.CharField(
        allow_null=True, help_text="What one of them says, and the log does not."
    )
    checkpoint = CheckpointVerificationSerializer(
        help_text="The last signed checkpoint of the installation."
    )
    not_checked = serializers.ListField(
        child=serializers.CharField(), help_text="In sentences: what all of this does not prove."
    )


class CheckpointSerializer(serializers.ModelSerializer):
    root = serializers.CharField(help_text="SHA-256 over the tree of the first `size` events.")
    note = serializers.CharField(help_text="As it was signed: a C2SP signed note.")

    class Meta:
        model = Checkpoint
        fields = ("id", "size", "root", "note", "created_at")
        read_only_fields = fields


class ProofSerializer(serializers.Serializer):
    event = serializers.IntegerField(help_text="Its id.")
    project = serializers.UUIDField()
    sequence = serializers.IntegerField()
    hash = serializers.CharField(help_text="Of the event; the leaf is SHA-256(00, hash).")
    index = serializers.IntegerField(help_text="Of the leaf, from 0.")
    size = serializers.IntegerField(help_text="Events that the checkpoint covers.")
    proof = serializers.ListField(
        child=serializers.CharField(), help_text="RFC 6962, base64, from the leaf up."
    )
    checkpoint = serializers.CharField(help_text="The signed note that has the root.")


class ConsistencyQuerySerializer(serializers.Serializer):
    old = serializers.IntegerField(min_value=1, max_value=BIGGEST_SEQUENCE)
    new = serializers.IntegerField(min_value=1, max_value=BIGGEST_SEQUENCE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["old"] > attrs["new"]:
            raise serializers.ValidationError({"old": "It must not be above `new`."})
        return attrs


class ConsistencySerializer(serializers.Serializer):
    old = serializers.IntegerField()
    new = serializers.IntegerField()
    proof = serializers.ListField(child=serializers.CharField(), help_text="RFC 6962, base64.")


class TicketSerializer(serializers.Serializer):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds.")
