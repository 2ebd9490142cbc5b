import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.enums import AgentState, AttemptOutcome
from agents.models import AgentStatus, Task, TaskAttempt, ToolUse, WorkspaceFile
from audit.models import Event
from context.artifact_types import artifact_type_choices
from core.fields import IdField, KindField, TextField
from core.serializers import StrictSerializer
from projects.agent_types import agent_type_choices

MAX_CONTEXT = 100


class TaskInput(StrictSerializer):
    """`context_ids`: artifacts of the project that the agent is to read."""

    project = IdField()
    agent_type = KindField(choices=agent_type_choices)
    instructions = TextField(max_length=20_000)
    context_ids = serializers.ListField(child=IdField(), max_length=MAX_CONTEXT, default=list)


class AttemptSerializer(serializers.ModelSerializer):
    """One claim of the task by a worker, and how it ended."""

    class Meta:
        model = TaskAttempt
        fields = (
            "number",
            "outcome",
            "error_code",
            "error_detail",
            "provider",
            "model",
            "calls",
            "input_tokens",
            "output_tokens",
            "cost_micros",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class OutputReference(serializers.Serializer):
    """A version that the work brought, or that a person put in its place."""

    artifact = serializers.UUIDField()
    artifact_type = KindField(choices=artifact_type_choices)
    title = serializers.CharField()
    version = serializers.IntegerField()
    sha256 = serializers.CharField()


class FaultSerializer(serializers.Serializer):
    """One thing that is wrong with an answer of a model."""

    field = serializers.CharField()
    detail = serializers.CharField()


class TaskError(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()
    faults = FaultSerializer(many=True, required=False)
    raises_soft_limit_to_micros = serializers.IntegerField(
        required=False, help_text="Whoever has it tried again raises the project's soft limit so."
    )


class EndedBy(serializers.Serializer):
    reason = serializers.CharField(required=False)
    comment = serializers.CharField(required=False)
    by = serializers.CharField(required=False)


class TaskResult(serializers.Serializer):
    """What came of a task so far; a field that does not apply is left out."""

    outputs = OutputReference(many=True, required=False)
    verdict = serializers.CharField(
        required=False, allow_blank=True, help_text="Of a check: pass, fail or accepted."
    )
    notes = serializers.CharField(required=False, allow_blank=True)
    provider = serializers.CharField(required=False, allow_blank=True)
    model = serializers.CharField(required=False, allow_blank=True)
    questions = serializers.ListField(child=serializers.CharField(), required=False)
    reason = serializers.CharField(
        required=False, allow_blank=True, help_text="Why the questions are asked."
    )
    error = TaskError(required=False)
    rejected = EndedBy(required=False)
    expired = EndedBy(required=False)
    changes_requested = EndedBy(required=False)
    cancelled_by = serializers.CharField(required=False)


@extend_schema_field(TaskResult())
class ResultField(serializers.DictField):
    """As it was stored."""


class ExchangeErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class ExchangeSerializer(serializers.Serializer):
    """One request to a provider, and its answer, as lists of messages with their parts."""

    provider = serializers.CharField()
    model = serializers.CharField()
    ended_at = serializers.DateTimeField()
    request = serializers.JSONField(
        help_text="What was new in it; what came before is in the exchanges before."
    )
    response = serializers.JSONField(allow_null=True)
    error = ExchangeErrorSerializer(allow_null=True)


class TranscriptAttemptSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=AttemptOutcome.choices)
    error_code = serializers.CharField(allow_blank=True)
    error_detail = serializers.CharField(allow_blank=True)
    exchanges = ExchangeSerializer(many=True)


class TranscriptSerializer(serializers.Serializer):
    """Prompts, answers and calls of tools. Whatever looks like a key is hidden."""

    task = serializers.UUIDField()
    attempts = TranscriptAttemptSerializer(many=True)


class TaskListSerializer(serializers.ModelSerializer):
    result = ResultField(read_only=True)
    answers = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta:
        model = Task
        fields = (
            "id",
            "project",
            "agent_type",
            "title",
            "status",
            "waits_for",
            "step",
            "phase",
            "round",
            "is_current",
            "attempt",
            "failures",
            "gate",
            "instructions",
            "answers",
            "result",
            "run_after",
            "created_by",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class TaskSerializer(TaskListSerializer):
    handoff = serializers.DictField(
        read_only=True, help_text="What was handed to the agent, and from whom."
    )
    attempts = AttemptSerializer(many=True, read_only=True)

    class Meta(TaskListSerializer.Meta):
        fields = (*TaskListSerializer.Meta.fields, "handoff", "attempts")
        read_only_fields = fields


class ToolUseSerializer(serializers.ModelSerializer):
    """One call of a tool, and what its model was told."""

    arguments = serializers.SerializerMethodField()

    class Meta:
        model = ToolUse
        fields = (
            "number",
            "fence",
            "turn",
            "name",
            "arguments",
            "arguments_sha256",
            "outcome",
            "result",
            "duration_ms",
            "action",
            "created_at",
        )
        read_only_fields = fields

    def get_arguments(self, use: ToolUse) -> dict[str, Any]:
        return json.loads(use.arguments)


class WorkspaceFileSerializer(serializers.ModelSerializer):
    """A file as it is now; `number` counts its versions."""

    class Meta:
        model = WorkspaceFile
        fields = ("path", "number", "content", "sha256", "fence", "turn", "created_at")
        read_only_fields = fields


class AgentStatusSerializer(serializers.ModelSerializer):
    class Meta:
        model = AgentStatus
        fields = ("project", "agent_type", "status", "task", "updated_at")
        read_only_fields = fields


class HistoryQuery(serializers.Serializer):
    project = serializers.UUIDField()


class AgentHistorySerializer(serializers.ModelSerializer):
    """One change of an agent's status."""

    agent_type = KindField(choices=agent_type_choices, source="data.agent_type")
    old = serializers.ChoiceField(choices=AgentState.choices, source="data.old")
    new = serializers.ChoiceField(choices=AgentState.choices, source="data.new")

    class Meta:
        model = Event
        fields = ("project", "agent_type", "old", "new", "task", "actor", "sequence", "created_at")
        read_only_fields = fields
