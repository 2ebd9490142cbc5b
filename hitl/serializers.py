from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from context.models import Artifact, ArtifactVersion
from context.rendering import render_markdown
from core.fields import ContentField, FlagField, IdField, KindField, TextField
from core.serializers import StrictSerializer
from hitl.actions import action_choices
from hitl.models import Decision, HitlRequest
from hitl.presenter import present_request
from hitl.rules import allowed_actions, roles_of
from projects.enums import Role

BULK_MAX = 200


class DecisionInput(StrictSerializer):
    """`comment` is needed for reject and request_changes, `content` for amend and answer."""

    action = KindField(choices=action_choices)
    subject_digest = TextField(max_length=64, help_text="That of the request as it was shown.")
    comment = TextField(max_length=10_000, allow_blank=True, default="")
    content = ContentField(required=False, allow_null=True)
    break_glass = FlagField(
        default=False,
        help_text="Past the rules on who decides and how many; `comment` must say why.",
    )


class BulkItem(StrictSerializer):
    request = IdField()
    subject_digest = TextField(max_length=64)


class BulkInput(StrictSerializer):
    action = KindField(choices=action_choices)
    comment = TextField(max_length=10_000, allow_blank=True, default="")
    items = serializers.ListField(child=BulkItem(), min_length=1, max_length=BULK_MAX)


class BulkResult(serializers.Serializer):
    request = serializers.UUIDField()
    status = serializers.IntegerField(help_text="As the same decision alone would be answered.")
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class BulkResults(serializers.Serializer):
    results = BulkResult(many=True)


class DecisionSerializer(serializers.ModelSerializer):
    decided_by_username = serializers.CharField(source="decided_by.username", read_only=True)
    content = serializers.JSONField(read_only=True, allow_null=True)

    class Meta:
        model = Decision
        fields = (
            "id",
            "request",
            "action",
            "decided_by",
            "decided_by_username",
            "comment",
            "content",
            "subject_digest",
            "channel",
            "is_break_glass",
            "created_at",
        )
        read_only_fields = fields


class ClaimSerializer(serializers.Serializer):
    """Who has the request for themselves, and until when."""

    user = serializers.IntegerField()
    username = serializers.CharField()
    until = serializers.DateTimeField()


class RequestListSerializer(serializers.ModelSerializer):
    project_name = serializers.CharField(source="project.name", read_only=True)
    allowed_actions = serializers.SerializerMethodField()
    deciding_roles = serializers.SerializerMethodField()
    claim = serializers.SerializerMethodField()
    is_overdue = serializers.SerializerMethodField()

    class Meta:
        model = HitlRequest
        fields = (
            "id",
            "project",
            "project_name",
            "task",
            "kind",
            "status",
            "title",
            "step",
            "phase",
            "agent_type",
            "subject_digest",
            "allowed_actions",
            "previous",
            "required_approvals",
            "approvals",
            "deciding_roles",
            "claim",
            "created_at",
            "remind_at",
            "due_at",
            "expires_at",
            "on_timeout",
            "is_overdue",
            "escalated_at",
            "held_since",
            "resolved_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=KindField(choices=action_choices)))
    def get_allowed_actions(self, request: HitlRequest) -> list[str]:
        return allowed_actions(request)

    def get_deciding_roles(self, request: HitlRequest) -> list[Role]:
        return roles_of(request, timezone.now())

    def get_is_overdue(self, request: HitlRequest) -> bool:
        return request.is_overdue(timezone.now())

    @extend_schema_field(ClaimSerializer(allow_null=True))
    def get_claim(self, request: HitlRequest) -> dict[str, Any] | None:
        if not request.is_pending or request.claimant_id(timezone.now()) is None:
            return None
        user = request.claimed_by
        claim = {"user": user.pk, "username": user.get_username(), "until": request.claimed_until}
        return ClaimSerializer(claim).data


class VerdictSerializer(serializers.Serializer):
    allowed = serializers.BooleanField()
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)


class ShownSerializer(serializers.ModelSerializer):
    """One version that the request shows."""

    artifact_type = serializers.CharField(source="artifact.artifact_type")
    title = serializers.CharField(source="artifact.title")
    version = serializers.IntegerField(source="number")
    content = serializers.DictField()
    markdown = serializers.SerializerMethodField(help_text="The content for reading.")

    class Meta:
        model = ArtifactVersion
        fields = (
            "artifact",
            "artifact_type",
            "title",
            "version",
            "sha256",
            "status",
            "provider",
            "model",
            "content",
            "markdown",
        )
        read_only_fields = fields

    def get_markdown(self, version: ArtifactVersion) -> str:
        return render_markdown(version.artifact.artifact_type, version.content)


class ShownArtifactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Artifact
        fields = ("id", "artifact_type", "title", "step", "version", "accepted_version")
        read_only_fields = fields


class PresentedFields(serializers.Serializer):
    """What a `PresentedRequest` adds to the row."""

    subject = serializers.DictField(read_only=True, help_text="What `subject_digest` is over.")
    content = serializers.DictField(
        allow_null=True, read_only=True, help_text="Of the first version shown."
    )
    contents = ShownSerializer(source="versions", many=True, read_only=True)
    artifact = ShownArtifactSerializer(allow_null=True, read_only=True)
    diff = serializers.DictField(
        allow_null=True, read_only=True, help_text="From what was last decided; null if first."
    )
    decisions = DecisionSerializer(many=True, read_only=True)
    can_decide = VerdictSerializer(read_only=True)
    barred_authors = serializers.ListField(
        source="request.barred_authors",
        child=serializers.IntegerField(),
        allow_null=True,
        read_only=True,
        help_text="Users who wrote of what is decided, and may not decide on it.",
    )
    may_break_glass = serializers.BooleanField(
        read_only=True, help_text="The caller may decide past the rules, with a reason."
    )


class RequestSerializer(PresentedFields, RequestListSerializer):
    """All that a person needs to decide."""

    class Meta(RequestListSerializer.Meta):
        fields = (*RequestListSerializer.Meta.fields, *PresentedFields().fields)
        read_only_fields = fields

    def to_representation(self, request: HitlRequest) -> dict[str, Any]:
        presented = present_request(request, self.context["request"].user)
        row = RequestListSerializer(request, context=self.context).data
        return row | PresentedFields(presented).data


class DecisionAnswer(serializers.Serializer):
    decision = DecisionSerializer()
    request = RequestSerializer()
