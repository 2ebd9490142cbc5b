from rest_framework import serializers

from core.fields import FlagField, NumberField
from core.serializers import StrictSerializer
from hitl.enums import OnTimeout
from hitl.models import Policy
from hitl.models.policies import APPROVALS_MAX
from projects.enums import Role


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
    remind_after = NumberField(min_value=1, allow_null=True, required=False)
    due_after = NumberField(min_value=1, allow_null=True, required=False)
    expire_after = NumberField(min_value=1, allow_null=True, required=False)
    on_timeout = serializers.ChoiceField(OnTimeout.choices, required=False)


class PolicySerializer(serializers.ModelSerializer):
    """How requests of a project are decided. Times are in seconds from the opening."""

    roles_by_kind = RolesField()
    roles_by_phase = RolesField()

    class Meta:
        model = Policy
        fields = (
            "project",
            "prevent_self_approval",
            "answers_count_as_content",
            "required_approvals",
            "roles_by_kind",
            "roles_by_phase",
            "remind_after",
            "due_after",
            "expire_after",
            "on_timeout",
            "updated_at",
        )
        read_only_fields = fields
