from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.fields import FlagField, NumberField, TextField
from core.serializers import StrictSerializer
from notifications.enums import WhenTold
from notifications.models import Preferences, Webhook, WebhookDelivery
from notifications.notices import kinds
from notifications.preferences import time_zone_of, when_told
from notifications.webhooks import URL_MAX


class WebhookInput(StrictSerializer):
    url = TextField(
        max_length=URL_MAX,
        help_text="https, or http. Addresses of private networks are refused unless the "
        "installation allows them; redirects are not followed.",
    )
    event_types = serializers.ListField(
        child=TextField(max_length=40),
        required=False,
        max_length=200,
        help_text="Which events it is told of, as `hitl_request_created`; empty: all.",
    )


class WebhookSerializer(serializers.ModelSerializer):
    created_by = serializers.IntegerField(source="created_by_id", help_text="The user's id.")
    event_types = serializers.ListField(child=serializers.CharField())
    pending = serializers.IntegerField(help_text="Events that it has not been told of yet.")
    dead = serializers.IntegerField(help_text="Events that were given up, and can be sent again.")

    class Meta:
        model = Webhook
        fields = (
            *("id", "project", "url", "event_types", "created_by", "created_at"),
            *("disabled_at", "disabled_reason", "failing_since", "next_attempt_at"),
            *("previous_until", "pending", "dead"),
        )
        read_only_fields = fields
        extra_kwargs = {
            "disabled_at": {"help_text": "It is off since then: it answered 410."},
            "failing_since": {"help_text": "Nothing has reached it since then."},
            "next_attempt_at": {"help_text": "Of what waits for it."},
            "previous_until": {"help_text": "Until then the secret before signs, too."},
        }


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        allow_null=True,
        read_only=True,
        help_text="`whsec_...`, shown once: a repeat by Idempotency-Key answers null.",
    )

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")
        read_only_fields = fields


class DeliverySerializer(serializers.ModelSerializer):
    webhook_id = serializers.CharField(
        source="message_id", help_text="The header `webhook-id`, the same over retries."
    )

    class Meta:
        model = WebhookDelivery
        fields = (
            *("id", "webhook_id", "event_type", "sequence", "status", "attempts"),
            *("response_status", "error", "duration_ms"),
            *("created_at", "attempted_at", "retry_until", "finished_at"),
        )
        read_only_fields = fields


class PreferencesSerializer(serializers.Serializer):
    """How the caller is told."""

    email = serializers.CharField(
        source="user.email", allow_blank=True, help_text="Where mails go. Empty: nowhere."
    )
    by_email = serializers.BooleanField()
    by_slack = serializers.BooleanField(help_text="Where an account is linked.")
    kinds = serializers.SerializerMethodField(
        help_text="By kind: `at_once`, `digest` (once a day, together) or `off`."
    )
    digest_hour = serializers.IntegerField(help_text="0 to 23, in `time_zone`.")
    quiet_from = serializers.TimeField(allow_null=True, format="%H:%M")
    quiet_until = serializers.TimeField(
        allow_null=True,
        format="%H:%M",
        help_text="What happens in quiet hours comes at their end, together.",
    )
    time_zone = serializers.SerializerMethodField(help_text="Of the profile.")

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_kinds(self, preferences: Preferences) -> dict[str, str]:
        return {kind.name: str(when_told(preferences, kind.name)) for kind in kinds}

    def get_time_zone(self, preferences: Preferences) -> str:
        return str(time_zone_of(preferences.user))


class ClockField(serializers.TimeField):
    """`22:00`, by whatever clock."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="22:00")
        return super().to_internal_value(value)


class PreferencesInput(StrictSerializer):
    by_email = FlagField(required=False)
    by_slack = FlagField(required=False)
    kinds = serializers.DictField(
        child=serializers.ChoiceField(WhenTold.choices),
        required=False,
        help_text="Kinds that are not named stay as they are.",
    )
    digest_hour = NumberField(min_value=0, max_value=23, required=False)
    quiet_from = ClockField(allow_null=True, required=False)
    quiet_until = ClockField(allow_null=True, required=False)


class SentAgainSerializer(serializers.Serializer):
    sent_again = serializers.IntegerField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {"sent_again": instance}
