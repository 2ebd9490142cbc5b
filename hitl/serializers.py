"""REST forms of requests, decisions, comments, policies and statistics."""

from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.enums import RequestKind
from agents.tool import tool_choices
from context.models import Artifact, ArtifactVersion
from context.rendering import render_markdown
from context.serializers import IMPORTED, ClaimsSerializer, IntactFields
from core.fields import ContentField, FlagField, IdField, KindField, NumberField, TextField
from core.serializers import StrictSerializer, represent
from hitl.actions import action_choices
from hitl.delegation import Delegation
from hitl.enums import OnTimeout
from hitl.models import APPROVALS_MAX, Comment, Decision, HitlRequest, Loosening, Policy
from hitl.presenter import present_request
from hitl.rules import allowed_actions, roles_of
from hitl.services.comments import TEXT_MAX_LENGTH
from hitl.statistics import CHOSEN, PERIODS, USUAL_PERIOD
from projects.enums import OversightLevel, Role
from projects.selectors import find_user
from projects.serializers import UserField

BULK_MAX = 200
# What may differ in a request; see `hitl.integrity`.
WHATS = ("subject", "digest", "content", "assignment", "call")


class MemberField(UserField):
    """Whether there is such a user, the answer does not tell: nobody, who may nothing, is not."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("does_not_exist")
        user = find_user(data)
        return user if user is not None and user.is_active else get_user_model()(pk=0)


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
    on_behalf_of = MemberField(
        required=False,
        help_text="Who is away and has asked the caller to decide for them: an id or a username.",
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


class LooseningMark(serializers.Serializer):
    """How one person alone had made the project's rules less strict."""

    id = serializers.UUIDField()
    by = serializers.IntegerField()
    at = serializers.DateTimeField()
    changes = serializers.DictField(help_text="{name: {old, new}}")


class DecisionSerializer(serializers.ModelSerializer):
    decided_by_username = serializers.CharField(source="decided_by.username", read_only=True)
    on_behalf_of_username = serializers.CharField(
        source="on_behalf_of.username",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="Who was away, and had named `decided_by`.",
    )
    content = serializers.JSONField(read_only=True, allow_null=True)
    loosenings = LooseningMark(many=True, read_only=True, allow_null=True)

    class Meta:
        model = Decision
        fields = (
            "id",
            "request",
            "action",
            "decided_by",
            "decided_by_username",
            "on_behalf_of",
            "on_behalf_of_username",
            "comment",
            "content",
            "subject_digest",
            "channel",
            "is_break_glass",
            "assurance",
            "loosenings",
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
    policy_loosened_at = serializers.DateTimeField(
        source="project.policy_loosened_at",
        read_only=True,
        allow_null=True,
        help_text="Since then, one person alone has made the project's rules less strict.",
    )

    class Meta:
        model = HitlRequest
        fields = (
            "id",
            "project",
            "project_name",
            "task",
            "agent_action",
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
            "needs_reauthentication",
            "policy_loosened_at",
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


class ShownSerializer(IntactFields, serializers.ModelSerializer):
    """One version that the request shows."""

    artifact_type = serializers.CharField(source="artifact.artifact_type")
    title = serializers.CharField(source="artifact.title")
    version = serializers.IntegerField(source="number")
    markdown = serializers.SerializerMethodField(help_text="The content for reading.")
    imported = ClaimsSerializer(
        source="claims", allow_null=True, read_only=True, help_text=IMPORTED
    )

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
            "imported",
            "is_intact",
            "content",
            "markdown",
        )
        read_only_fields = fields

    def get_markdown(self, version: ArtifactVersion) -> str:
        if version.difference:
            return version.difference.detail
        return render_markdown(version.artifact.artifact_type, version.content)


class ShownArtifactSerializer(serializers.ModelSerializer):
    class Meta:
        model = Artifact
        fields = ("id", "artifact_type", "title", "step", "version", "accepted_version")
        read_only_fields = fields


class LooseningSerializer(serializers.ModelSerializer):
    """A change that makes a project's rules less strict."""

    changes = serializers.DictField(help_text="{name: {old, new}}")
    proposed_by_username = serializers.CharField(source="proposed_by.username")
    decided_by_username = serializers.CharField(
        source="decided_by.username", allow_null=True, default=None
    )

    class Meta:
        model = Loosening
        fields = (
            "id",
            "status",
            "changes",
            "proposed_by",
            "proposed_by_username",
            "created_at",
            "decided_by",
            "decided_by_username",
            "decided_at",
        )
        read_only_fields = fields


class DifferenceSerializer(serializers.Serializer):
    """Something that no longer has the SHA-256 under which it was pinned."""

    what = serializers.ChoiceField(choices=WHATS, source="facts.what")
    detail = serializers.CharField()
    expected = serializers.CharField(source="facts.expected")
    found = serializers.CharField(
        source="facts.found", allow_blank=True, help_text="Empty: gone, or unreadable."
    )
    artifact = serializers.UUIDField(source="facts.artifact", default=None, allow_null=True)
    version = serializers.IntegerField(source="facts.version", default=None, allow_null=True)


class PresentedFields(serializers.Serializer):
    """What a `PresentedRequest` adds to the row."""

    subject = serializers.DictField(read_only=True, help_text="What `subject_digest` is over.")
    content = serializers.DictField(
        allow_null=True,
        read_only=True,
        help_text="Of the first version shown; null where it is not intact.",
    )
    contents = ShownSerializer(source="versions", many=True, read_only=True)
    artifact = ShownArtifactSerializer(allow_null=True, read_only=True)
    diff = serializers.DictField(
        allow_null=True, read_only=True, help_text="From what was last decided; null if first."
    )
    decisions = DecisionSerializer(many=True, read_only=True)
    can_decide = VerdictSerializer(read_only=True)
    integrity = DifferenceSerializer(
        source="differences",
        many=True,
        read_only=True,
        help_text="What was changed past the product; then nobody can decide on the request.",
    )
    barred_authors = serializers.ListField(
        source="request.barred_authors",
        child=serializers.IntegerField(),
        allow_null=True,
        read_only=True,
        help_text="Users who wrote of what is decided, and may not decide on it.",
    )
    policy_loosened = LooseningSerializer(
        source="loosenings",
        many=True,
        read_only=True,
        help_text="How one person alone made the rules less strict. Every later decision has it.",
    )
    missing_deciders = serializers.IntegerField(
        read_only=True, help_text="How many more people must be able to decide on it."
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
        return represent(RequestListSerializer, request) | represent(PresentedFields, presented)


class DecisionAnswer(serializers.Serializer):
    decision = DecisionSerializer()
    request = RequestSerializer()


class AssigneeField(UserField):
    """None for a user that there is not: who asks learns no more of them than of any outsider."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int | str):
            self.fail("does_not_exist")
        user = find_user(data)
        return user if user is not None and user.is_active else None


class ReassignInput(StrictSerializer):
    user = AssigneeField()


class CommentInput(StrictSerializer):
    text = TextField(max_length=TEXT_MAX_LENGTH)


class CommentSerializer(serializers.ModelSerializer):
    author_username = serializers.CharField(source="author.username", read_only=True)

    class Meta:
        model = Comment
        fields = ("id", "request", "author", "author_username", "text", "created_at")
        read_only_fields = fields


class RolesField(serializers.DictField):
    """`{kind or phase: [role]}`."""

    child = serializers.ListField(child=serializers.ChoiceField(Role.choices), min_length=1)


class PolicyChange(StrictSerializer):
    """Only what is sent changes, and only for requests that are opened from then on."""

    prevent_self_approval = FlagField(required=False)
    answers_count_as_content = FlagField(required=False)
    required_approvals = NumberField(min_value=1, max_value=APPROVALS_MAX, required=False)
    roles_by_kind = RolesField(required=False)
    roles_by_phase = RolesField(required=False)
    reauthenticate = serializers.ListField(
        child=serializers.ChoiceField(RequestKind.choices),
        required=False,
        max_length=len(RequestKind),
        help_text="Kinds of requests for which people give their password again.",
    )
    ask_before_tools = serializers.ListField(
        child=KindField(choices=tool_choices),
        required=False,
        max_length=100,
        help_text="Tools of the project's own agents that people are asked about before each call.",
    )
    remind_after = NumberField(min_value=1, allow_null=True, required=False)
    due_after = NumberField(min_value=1, allow_null=True, required=False)
    expire_after = NumberField(min_value=1, allow_null=True, required=False)
    on_timeout = serializers.ChoiceField(OnTimeout.choices, required=False)


class FloorSerializer(serializers.Serializer):
    oversight_level = serializers.ChoiceField(OversightLevel.choices)
    required_approvals = serializers.DictField(
        child=serializers.IntegerField(), help_text="By kind of request."
    )
    prevent_self_approval = serializers.BooleanField()


class PolicySerializer(serializers.ModelSerializer):
    """How requests of a project are decided. Times are in seconds from the opening."""

    roles_by_kind = RolesField()
    roles_by_phase = RolesField()
    reauthenticate = serializers.ListField(child=serializers.ChoiceField(RequestKind.choices))
    ask_before_tools = serializers.ListField(child=KindField(choices=tool_choices))
    floor = FloorSerializer(help_text="What this project can't go below.")
    awaits = LooseningSerializer(
        allow_null=True, help_text="A less strict rule that waits for another owner's word."
    )
    loosened_at = serializers.DateTimeField(
        source="project.policy_loosened_at",
        allow_null=True,
        help_text="When one owner alone last made a rule less strict; every decision shows it.",
    )

    class Meta:
        model = Policy
        fields = (
            "project",
            "prevent_self_approval",
            "answers_count_as_content",
            "required_approvals",
            "roles_by_kind",
            "roles_by_phase",
            "reauthenticate",
            "ask_before_tools",
            "remind_after",
            "due_after",
            "expire_after",
            "on_timeout",
            "floor",
            "awaits",
            "loosened_at",
            "updated_at",
        )
        read_only_fields = fields


class Percentiles(serializers.Serializer):
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)


class Times(Percentiles):
    mean = serializers.FloatField(allow_null=True)


class ResumeLatency(Times):
    count = serializers.IntegerField()


class CoveredPeriod(serializers.Serializer):
    name = serializers.ChoiceField(choices=[*PERIODS, CHOSEN])
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()


class Span(serializers.Serializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    opened = serializers.IntegerField()
    pending = serializers.IntegerField(help_text="How many waited at its end.")
    expired = serializers.IntegerField()
    by_action = serializers.DictField(child=serializers.IntegerField())
    decision_time_seconds = Percentiles()
    resume_latency_seconds = ResumeLatency()


class StatisticsQuery(serializers.Serializer):
    project = serializers.UUIDField(required=False)
    period = serializers.ChoiceField(
        choices=list(PERIODS),
        default=USUAL_PERIOD,
        help_text="`day` by hours, `week` by six hours, `month` by days, `quarter` by weeks.",
    )
    to = serializers.DateField(
        required=False, help_text="The last day, in UTC; without it, today. Takes `from` as well."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        first = serializers.DateField(
            required=False, help_text="The first day, in UTC, in place of `period`."
        )
        return super().get_fields() | {"from": first}


class StatisticsSerializer(serializers.Serializer):
    """Over the requests that the caller may see. Times are in seconds."""

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    overdue = serializers.IntegerField()
    oldest_pending_at = serializers.DateTimeField(allow_null=True)
    by_status = serializers.DictField(child=serializers.IntegerField())
    by_kind = serializers.DictField(child=serializers.IntegerField())
    approval_rate = serializers.FloatField(
        allow_null=True,
        help_text="Approved as shown, of all approved, amended, rejected and sent back; 0 to 1.",
    )
    decision_time_seconds = Times()
    period = CoveredPeriod(help_text="What all below is about; what is above is over all time.")
    by_action = serializers.DictField(
        child=serializers.IntegerField(), help_text="Decisions in the period."
    )
    expired = serializers.IntegerField()
    resume_latency_seconds = ResumeLatency(
        help_text="From a decision to the next start of a task in its project."
    )
    over_time = Span(many=True)


class DelegationInput(StrictSerializer):
    delegate = MemberField(
        required=False, allow_null=True, default=None, help_text="Null: nobody stands in."
    )
    starts_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Null: now."
    )
    ends_at = serializers.DateTimeField()


class DelegationSerializer(serializers.ModelSerializer):
    """Somebody is away; `delegate`, if anybody, decides for them."""

    delegator_username = serializers.CharField(source="delegator.username", read_only=True)
    delegate_username = serializers.CharField(
        source="delegate.username", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = Delegation
        fields = (
            "id",
            "delegator",
            "delegator_username",
            "delegate",
            "delegate_username",
            "starts_at",
            "ends_at",
            "created_at",
        )
        read_only_fields = fields
