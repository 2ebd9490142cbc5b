from typing import Any

from rest_framework import serializers

from agents.enums import StopLevel
from agents.external import PREFIX
from agents.models import EmergencyStop
from agents.stops.services import may_stop_everything
from core.fields import IdField, KindField, TextField
from core.serializers import StrictSerializer
from projects.agent_types import agent_type_choices

SCOPES = ("all", "project", "agent_type")


class StopInput(StrictSerializer):
    """`project` and `agent_type` narrow the scope; `scope`, if sent, must name what they say."""

    scope = serializers.ChoiceField(choices=SCOPES, required=False)
    project = IdField(required=False, allow_null=True, default=None)
    agent_type = KindField(choices=agent_type_choices, required=False, allow_blank=True, default="")
    reason = TextField(max_length=2_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = attrs.pop("scope", None)
        in_projects = "project" if attrs["project"] else "all"
        scope = "agent_type" if attrs["agent_type"] else in_projects
        if named not in (None, scope):
            detail = f"With the other fields the scope is {scope!r}, not {named!r}."
            raise serializers.ValidationError({"scope": [detail]}, code="invalid")
        project = attrs.pop("project")
        return attrs | {"project_id": project}


class WorkersSerializer(serializers.Serializer):
    """Worker processes that were there when the stop came, and how many have stopped."""

    expected = serializers.IntegerField(source="workers_expected")
    acknowledged = serializers.IntegerField(source="workers_acknowledged")
    missing = serializers.SerializerMethodField(
        help_text="Names of those that are there and have not acknowledged: all for who may stop "
        "everything, else those that run elsewhere for the project."
    )
    gone = serializers.IntegerField(
        source="workers_gone", help_text="Neither acknowledged nor seen for 15 s: most likely dead."
    )

    def get_missing(self, stop: EmergencyStop) -> list[str]:
        # The others' names tell of hosts, and of projects that the caller may not see.
        if may_stop_everything(self.context["request"].user):
            return stop.missing_workers
        names = stop.missing_workers if stop.project_id else []
        return [name for name in names if name.startswith(PREFIX)]


class StopSerializer(serializers.ModelSerializer):
    scope = serializers.ChoiceField(choices=SCOPES, read_only=True)
    level = serializers.ChoiceField(
        choices=StopLevel.choices,
        source="held_at",
        read_only=True,
        help_text="From where it was set. Only from there it is released.",
    )
    is_active = serializers.BooleanField(read_only=True)
    activated_by_username = serializers.CharField(source="activated_by.username", read_only=True)
    released_by_username = serializers.CharField(
        source="released_by.username", read_only=True, allow_null=True, default=None
    )
    workers = WorkersSerializer(source="*", read_only=True)
    seconds_to_last_acknowledgement = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="Null while one that is there has not acknowledged, and without workers.",
    )

    class Meta:
        model = EmergencyStop
        fields = (
            "id",
            "scope",
            "project",
            "agent_type",
            "level",
            "is_active",
            "reason",
            "activated_by",
            "activated_by_username",
            "activated_at",
            "release_reason",
            "released_by",
            "released_by_username",
            "released_at",
            "workers",
            "seconds_to_last_acknowledgement",
        )
        read_only_fields = fields
