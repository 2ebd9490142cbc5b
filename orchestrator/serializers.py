from rest_framework import serializers

from agents.serializers import AgentStatusSerializer
from core.fields import KindField, TextField
from core.serializers import StrictSerializer
from hitl.serializers import RequestListSerializer
from orchestrator.models import ProjectImport
from projects.agent_types import agent_type_choices
from projects.enums import OversightLevel, Phase, ProjectStatus
from projects.serializers import ProjectSerializer


class BeingMadeSerializer(serializers.Serializer):
    """What takes long is made by a worker; ask again."""

    status = serializers.ChoiceField(choices=["being_made"])
    detail = serializers.CharField()


class RewindInput(StrictSerializer):
    step = TextField(max_length=100)
    comment = TextField(max_length=10_000, allow_blank=True, default="")


class EraseInput(StrictSerializer):
    reason = TextField(max_length=1_000, help_text="It is recorded and stays.")


class LastFailureSerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()
    attempt = serializers.IntegerField()
    failed_at = serializers.DateTimeField()


class RetriedFields(serializers.Serializer):
    """Of work that is tried again (`POST tasks/{id}/retry/`: now), or that nobody has come for."""

    last_failure = LastFailureSerializer(
        allow_null=True, help_text="Null where nothing failed, or nothing is tried again."
    )
    next_attempt_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next attempt begins; null while none is waited for."
    )
    no_worker_since = serializers.DateTimeField(
        allow_null=True,
        help_text="Of work that is done elsewhere: since when no worker has come for it.",
    )


class WaitingSerializer(RetriedFields):
    """`step` is empty for the project as a whole and for work outside of the workflow."""

    step = serializers.CharField(allow_blank=True)
    what = serializers.CharField(
        help_text=(
            "agent_work, a request kind, retry_or_rewind, rewind, start, resume, emergency_stop, "
            "engine_error or integrity (the workflow was changed past the product)."
        )
    )
    who = serializers.ChoiceField(choices=["agent", "person", "operator"])
    task = serializers.UUIDField(allow_null=True)
    hitl_request = serializers.UUIDField(allow_null=True)


class StepSerializer(RetriedFields):
    step = serializers.CharField()
    title = serializers.CharField()
    phase = serializers.ChoiceField(choices=Phase.choices)
    agent_type = KindField(choices=agent_type_choices)
    needs = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField(help_text="Of its current task; `pending` before it has one.")
    round = serializers.IntegerField()
    attempt = serializers.IntegerField()
    task = serializers.UUIDField(allow_null=True)
    hitl_request = serializers.UUIDField(allow_null=True)
    stale = serializers.BooleanField(
        help_text="Its artifacts were made from something that has a newer accepted version."
    )


class BriefSerializer(serializers.Serializer):
    """`version` is what the steps work with; a newer one counts from the next rewind on."""

    artifact = serializers.UUIDField()
    version = serializers.IntegerField()
    accepted_version = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer):
    status = serializers.ChoiceField(choices=ProjectStatus.choices)
    completed_steps = serializers.IntegerField()
    total_steps = serializers.IntegerField()
    percent = serializers.IntegerField(min_value=0, max_value=100)
    waiting_for = WaitingSerializer(many=True)
    brief = BriefSerializer(allow_null=True, help_text="Null before the start.")
    steps = StepSerializer(many=True)


class StateSerializer(serializers.Serializer):
    project = ProjectSerializer()
    progress = ProgressSerializer()
    agents = AgentStatusSerializer(many=True)
    requests = RequestListSerializer(many=True, help_text="Pending requests.")


class SnapshotSerializer(serializers.Serializer):
    """`state` includes all events up to `sequence`; the stream continues after it."""

    epoch = serializers.CharField()
    sequence = serializers.IntegerField()
    state = StateSerializer()


class ImportInput(StrictSerializer):
    file = serializers.FileField(help_text="The ZIP of an export.")
    name = serializers.CharField(
        max_length=200, allow_blank=True, default="", help_text="Default: as in the export."
    )
    workflow = serializers.CharField(
        max_length=100,
        allow_blank=True,
        default="",
        help_text="Default: as in the export, if the same version of it is here.",
    )
    oversight_level = serializers.ChoiceField(
        choices=OversightLevel.choices,
        allow_blank=True,
        default="",
        help_text="Default: as in the export.",
    )


class ProjectImportSerializer(serializers.ModelSerializer):
    """Where it came from, by its own word unless `is_verified`.

    `trail_broken_at` says whether the old log is one chain, which anybody can make, and cut at its
    end. The log itself is in exports under `imported/`.
    """

    imported_by_username = serializers.CharField(source="imported_by.username", read_only=True)

    class Meta:
        model = ProjectImport
        fields = (
            "imported_by",
            "imported_by_username",
            "imported_at",
            "origin_project",
            "origin_name",
            "origin_status",
            "archive_sha256",
            "trail_events",
            "trail_head_hash",
            "trail_broken_at",
            "is_verified",
        )
        read_only_fields = fields


class OriginSerializer(serializers.Serializer):
    origin = ProjectImportSerializer(
        allow_null=True, help_text="Null: the project began in this installation."
    )
