from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.fields import FlagField, NumberField, TextField
from core.serializers import StrictSerializer
from projects.agent_types import agent_types
from projects.enums import OversightLevel, Role
from projects.models import (
    BRIEF_MAX_LENGTH,
    GroupMembership,
    Invitation,
    Membership,
    Project,
)
from projects.selectors import EXCERPT_LENGTH, find_user

# Integers that JSON can hold.
MOST_MICROS = 2**53 - 1
TOO_LONG = f"Shorten the brief to at most {BRIEF_MAX_LENGTH:,} characters."


class AgentModelsField(serializers.DictField):
    """Models of agents in this project; for the others the settings count."""

    child = TextField(
        max_length=230,
        help_text="external: a worker that runs elsewhere does its tasks. Else endpoint:model of "
        "an endpoint of the project, or a model that the installation uses.",
    )

    def to_internal_value(self, data: Any) -> dict[str, str]:
        models = super().to_internal_value(data)
        check_agent_types(models)
        return models


def check_agent_types(named: Iterable[str]) -> None:
    if unknown := sorted(set(named) - set(agent_types.values)):
        detail = f"There is no such agent type. Use one of: {', '.join(agent_types.values)}."
        raise serializers.ValidationError({unknown[0]: [detail]}, code="invalid_choice")


class MicrosField(NumberField):
    """Micro-units of the currency that prices are in; null: no limit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MOST_MICROS, **options)


class AgentBudgetsField(serializers.DictField):
    """By agent type: the most that its models may cost in this project."""

    child = MicrosField()

    def to_internal_value(self, data: Any) -> dict[str, int]:
        budgets = super().to_internal_value(data)
        check_agent_types(budgets)
        return budgets


class ProjectInput(StrictSerializer):
    name = TextField(max_length=200)
    brief = TextField(max_length=BRIEF_MAX_LENGTH, error_messages={"max_length": TOO_LONG})
    workflow = TextField(max_length=100, default="sdlc")
    oversight_level = serializers.ChoiceField(
        choices=OversightLevel.choices, default=OversightLevel.HIGH
    )
    auto_start = FlagField(default=True)
    agent_models = AgentModelsField(required=False)
    budget_micros = MicrosField(required=False, allow_null=True)
    budget_soft_micros = MicrosField(required=False, allow_null=True)
    budget_day_micros = MicrosField(required=False, allow_null=True)
    agent_budgets_micros = AgentBudgetsField(required=False)


class ProjectChange(StrictSerializer):
    """Brief and workflow change only before the start."""

    name = TextField(max_length=200, required=False)
    brief = TextField(
        max_length=BRIEF_MAX_LENGTH, error_messages={"max_length": TOO_LONG}, required=False
    )
    workflow = TextField(max_length=100, required=False)
    oversight_level = serializers.ChoiceField(choices=OversightLevel.choices, required=False)
    auto_start = FlagField(required=False)
    agent_models = AgentModelsField(required=False)
    budget_micros = MicrosField(required=False, allow_null=True)
    budget_soft_micros = MicrosField(required=False, allow_null=True)
    budget_day_micros = MicrosField(required=False, allow_null=True)
    agent_budgets_micros = AgentBudgetsField(required=False)


class CancelInput(StrictSerializer):
    reason = TextField(max_length=10_000, allow_blank=True, default="")


class ProjectSerializer(serializers.ModelSerializer):
    created_by_username = serializers.CharField(source="created_by.username", read_only=True)
    agent_models = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Models of agents in this project, whatever the settings say.",
    )
    agent_budgets_micros = serializers.DictField(
        child=serializers.IntegerField(),
        read_only=True,
        help_text="By agent type: the most that its models may cost here.",
    )
    role = serializers.ChoiceField(
        choices=Role.choices,
        allow_null=True,
        read_only=True,
        help_text="The caller's; null for a superuser who is not a member.",
    )

    class Meta:
        model = Project
        fields = (
            "id",
            "name",
            "brief",
            "workflow",
            "oversight_level",
            "auto_start",
            "agent_models",
            "budget_micros",
            "budget_soft_micros",
            "budget_day_micros",
            "agent_budgets_micros",
            "status",
            "status_reason",
            "policy_loosened_at",
            "role",
            "created_by",
            "created_by_username",
            "created_at",
            "updated_at",
            "started_at",
            "finished_at",
            "erased_at",
        )
        read_only_fields = fields


class ChangedProjectSerializer(ProjectSerializer):
    awaits = serializers.UUIDField(
        allow_null=True,
        help_text="The proposal of less oversight, which another owner has to confirm.",
    )

    class Meta(ProjectSerializer.Meta):
        fields = (*ProjectSerializer.Meta.fields, "awaits")
        read_only_fields = fields


class ProjectListSerializer(ProjectSerializer):
    """Without the brief, which may be long."""

    brief_excerpt = serializers.CharField(
        read_only=True, help_text=f"The first {EXCERPT_LENGTH} characters."
    )

    class Meta(ProjectSerializer.Meta):
        fields = tuple(
            "brief_excerpt" if name == "brief" else name for name in ProjectSerializer.Meta.fields
        )
        read_only_fields = fields


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string"}]})
class UserField(serializers.Field):
    """An active user, by id (a number) or by username (text)."""

    default_error_messages = {"does_not_exist": "There is no such user: send an id or a username."}

    def to_internal_value(self, data: Any) -> Any:
        user = find_user(data)
        if user is None or not user.is_active:
            self.fail("does_not_exist")
        return user

    def to_representation(self, value: Any) -> Any:
        return value.pk


class MemberInput(StrictSerializer):
    user = UserField()
    role = serializers.ChoiceField(choices=Role.choices)


class MemberSerializer(serializers.ModelSerializer):
    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ("user", "username", "role", "group", "created_at")
        read_only_fields = fields


class GroupInput(StrictSerializer):
    group = TextField(max_length=150, help_text="Its name.")
    role = serializers.ChoiceField(choices=[Role.APPROVER, Role.VIEWER])


class GroupSerializer(serializers.ModelSerializer):
    name = serializers.CharField(source="group.name", read_only=True)

    class Meta:
        model = GroupMembership
        fields = ("group", "name", "role", "created_at")
        read_only_fields = fields


class InvitationInput(StrictSerializer):
    email = TextField(max_length=254)
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationSerializer(serializers.ModelSerializer):
    invited_by_username = serializers.CharField(source="invited_by.username", read_only=True)

    class Meta:
        model = Invitation
        fields = (
            "id",
            "email",
            "role",
            "invited_by",
            "invited_by_username",
            "created_at",
            "expires_at",
            "sent_at",
        )
        read_only_fields = fields
