"""REST forms of actions and of agents' credentials."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from context.diff import diff_versions
from context.serializers import DiffSerializer
from core.fields import ContentField, FlagField, IdField, NumberField, TextField
from core.serializers import StrictSerializer
from hitl.agent_actions.asks import (
    BASED_ON_MAX,
    CONTINUATION_MAX,
    MAY_BE_ALLOWED,
    changed_versions,
)
from hitl.agent_actions.card import stale_versions
from hitl.agent_actions.claims import ERROR_MAX, OUTCOMES
from hitl.enums import ActionStatus, OnExpiry
from hitl.models import AgentAction, StandingApproval
from projects.enums import CredentialScope
from projects.models import AgentCredential

AnyJson = ContentField
# Each takes reading and comparing two whole contents.
DIFFS_MAX = 10
OUTCOME_CHOICES = [(status.value, status.label) for status in OUTCOMES]


class ToolInput(StrictSerializer):
    name = TextField(max_length=200)
    server = TextField(max_length=200, required=False)
    schema_digest = TextField(max_length=200, required=False)


class AgentInput(StrictSerializer):
    name = TextField(max_length=200)
    run = TextField(max_length=200, required=False)
    call = TextField(max_length=200, required=False)
    framework = TextField(max_length=200, required=False)


class SubjectInput(StrictSerializer):
    """For whom the agent acts."""

    type = TextField(max_length=100)
    id = TextField(max_length=200)


class HintsInput(StrictSerializer):
    """As tools of MCP have them. They raise the care that is asked for, and never lower it."""

    readOnlyHint = FlagField(required=False)
    destructiveHint = FlagField(required=False)
    idempotentHint = FlagField(required=False)
    openWorldHint = FlagField(required=False)


class RestsOn(StrictSerializer):
    artifact = IdField()
    version = NumberField(min_value=1)


class ActionInput(StrictSerializer):
    """What an agent is about to do, complete."""

    tool = ToolInput()
    arguments = serializers.DictField(help_text="Complete; at most 256 KiB in canonical form.")
    agent = AgentInput()
    subject = SubjectInput(required=False, allow_null=True)
    effect = TextField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="What must happen at most once in the project, as `refund:1234`.",
    )
    why = TextField(max_length=10_000, required=False, allow_blank=True)
    hints = HintsInput(required=False)
    allowed = serializers.ListField(
        child=serializers.ChoiceField(choices=MAY_BE_ALLOWED),
        required=False,
        min_length=1,
        help_text="What people may decide. They can always reject.",
    )
    edit_schema = serializers.DictField(required=False, allow_null=True)
    response_schema = serializers.DictField(required=False, allow_null=True)
    precondition = AnyJson(required=False, help_text="A fingerprint of what is outside.")
    based_on = RestsOn(many=True, required=False, max_length=BASED_ON_MAX)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    on_expiry = serializers.ChoiceField(OnExpiry.choices, required=False)
    continuation = TextField(required=False, allow_blank=True)

    def validate_continuation(self, text: str) -> str:
        if len(text.encode()) > CONTINUATION_MAX:
            raise serializers.ValidationError("Send at most 1 MiB.", code="max_length")
        return text


class ActionDecision(serializers.Serializer):
    action = serializers.CharField()
    decided_by = serializers.IntegerField()
    decided_by_username = serializers.CharField()
    on_behalf_of = serializers.IntegerField(allow_null=True)
    comment = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class ActionLinks(serializers.Serializer):
    self = serializers.CharField()
    review = serializers.CharField()
    cancel = serializers.CharField()


class ActionSerializer(serializers.ModelSerializer):
    """An action as it is now. A `status` that a client does not know means "not approved"."""

    tool = serializers.DictField()
    agent = serializers.DictField()
    subject = serializers.DictField(allow_null=True)
    arguments = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()
    approved_at = serializers.SerializerMethodField()
    request = serializers.SerializerMethodField(help_text="The newest request about it.")
    links = serializers.SerializerMethodField()

    class Meta:
        model = AgentAction
        fields = (
            "id",
            "project",
            "status",
            "tool",
            "arguments",
            "agent",
            "subject",
            "effect",
            "why",
            "hints",
            "based_on",
            "action_digest",
            "call_digest",
            "decision",
            "answer",
            "rule",
            "created_at",
            "expires_at",
            "approved_at",
            "approved_until",
            "fence",
            "claimed_at",
            "lease_expires_at",
            "result",
            "error",
            "finished_at",
            "continuation",
            "request",
            "links",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.DictField())
    def get_arguments(self, action: AgentAction) -> Any:
        return json.loads(action.arguments)

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_answer(self, action: AgentAction) -> Any:
        return json.loads(action.answer) if action.answer else None

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_result(self, action: AgentAction) -> Any:
        return json.loads(action.result) if action.result else None

    @extend_schema_field(ActionDecision(allow_null=True))
    def get_decision(self, action: AgentAction) -> dict[str, Any] | None:
        decision = self._newest_decision(action)
        if decision is None:
            return None
        facts = {
            "action": decision.action,
            "decided_by": decision.decided_by_id,
            "decided_by_username": decision.decided_by.get_username(),
            "on_behalf_of": decision.on_behalf_of_id,
            "comment": decision.comment,
            "at": decision.created_at,
        }
        return ActionDecision(facts).data

    def get_approved_at(self, action: AgentAction) -> str | None:
        if action.decided_at is None or action.approved_until is None:
            return None
        return serializers.DateTimeField().to_representation(action.decided_at)

    def get_request(self, action: AgentAction) -> str | None:
        requests = sorted(action.requests.all(), key=lambda request: request.created_at)
        return str(requests[-1].pk) if requests else None

    @extend_schema_field(ActionLinks())
    def get_links(self, action: AgentAction) -> dict[str, str]:
        def absolute(path: str) -> str:
            http = self.context.get("request")
            return http.build_absolute_uri(path) if http else path

        request, own = self.get_request(action), f"/api/v1/actions/{action.pk}/"
        review = absolute(f"/admin/hitl/hitlrequest/{request}/change/") if request else ""
        return {"self": absolute(own), "review": review, "cancel": absolute(f"{own}cancel/")}

    def _newest_decision(self, action: AgentAction) -> Any:
        decisions = [
            decision for request in action.requests.all() for decision in request.decisions.all()
        ]
        return max(decisions, key=lambda decision: decision.created_at, default=None)


class ChangedVersion(serializers.Serializer):
    """A version that the action rested on, and the newest one of the same artifact."""

    artifact = serializers.UUIDField()
    version = serializers.IntegerField()
    newest = serializers.IntegerField(allow_null=True, help_text="Null: the artifact is gone.")
    diff = DiffSerializer(
        allow_null=True,
        help_text=(
            "From one to the other. Null for a credential without the scope `read`, where they "
            f"cannot be compared, and after the first {DIFFS_MAX}."
        ),
    )


class ActionDetailSerializer(ActionSerializer):
    """An action, with what a list leaves out."""

    changed = serializers.SerializerMethodField(
        help_text="What a `superseded` action rested on and has newer versions; else empty."
    )

    class Meta(ActionSerializer.Meta):
        fields = (*ActionSerializer.Meta.fields, "changed")
        read_only_fields = fields

    @extend_schema_field(ChangedVersion(many=True))
    def get_changed(self, action: AgentAction) -> list[dict[str, Any]]:
        if action.status != ActionStatus.SUPERSEDED:
            return []
        http = self.context.get("request")
        credential = http.auth if http and isinstance(http.auth, AgentCredential) else None
        diffs = {}
        if credential is None or CredentialScope.READ in credential.scopes:
            diffs = {
                (str(stale.old.artifact_id), stale.old.number): diff_versions(stale.old, stale.new)
                for stale in stale_versions(action)[:DIFFS_MAX]
                if stale.is_comparable
            }
        changed = [
            version | {"diff": diffs.get((version["artifact"], version["version"]))}
            for version in changed_versions(action)
        ]
        return ChangedVersion(changed, many=True).data


class ActionClaimInput(StrictSerializer):
    action_digest = TextField(max_length=71)
    precondition = AnyJson(required=False)


class ActionClaimSerializer(serializers.Serializer):
    """The right to do it now, once. `arguments` are exactly those that were approved."""

    fence = serializers.IntegerField()
    arguments = serializers.DictField()
    grant = serializers.CharField(
        allow_null=True, help_text="Compact JWS (EdDSA); null without GRANT_KEY_FILE."
    )
    lease_expires_at = serializers.DateTimeField()


class FenceInput(StrictSerializer):
    fence = NumberField(min_value=1)


class ActionHeartbeat(serializers.Serializer):
    lease_expires_at = serializers.DateTimeField()
    stop = serializers.BooleanField(help_text="Stop now, and report how far it came.")


class OutcomeInput(StrictSerializer):
    fence = NumberField(min_value=1)
    status = serializers.ChoiceField(
        choices=OUTCOME_CHOICES,
        help_text="`not_executed` only where it certainly did not happen.",
    )
    result = AnyJson(required=False, allow_null=True)
    error = TextField(max_length=ERROR_MAX, required=False, allow_blank=True)


class ActionCancelInput(StrictSerializer):
    reason = TextField(max_length=500, required=False, allow_blank=True)


class CredentialInput(StrictSerializer):
    name = TextField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=CredentialScope.choices), min_length=1, max_length=3
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class CredentialSerializer(serializers.ModelSerializer):
    created_by_username = serializers.CharField(source="created_by.username", read_only=True)

    class Meta:
        model = AgentCredential
        fields = (
            "id",
            "name",
            "scopes",
            "created_by",
            "created_by_username",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "refusals",
        )
        read_only_fields = fields


class NewCredentialSerializer(CredentialSerializer):
    token = serializers.CharField(
        allow_null=True, help_text="Shown once: a repeat by Idempotency-Key answers null."
    )

    class Meta(CredentialSerializer.Meta):
        fields = (*CredentialSerializer.Meta.fields, "token")
        read_only_fields = fields


class StandingApprovalSerializer(serializers.ModelSerializer):
    tool = serializers.DictField()
    bounds = serializers.DictField()

    class Meta:
        model = StandingApproval
        fields = (
            "id",
            "credential",
            "agent_name",
            "tool",
            "bounds",
            "uses_max",
            "uses_count",
            "given_by",
            "decision",
            "created_at",
            "expires_at",
            "revoked_at",
        )
        read_only_fields = fields
