from typing import Any

from rest_framework import serializers

from core.fields import TextField
from core.serializers import StrictSerializer
from notifications.models import Webhook, WebhookDelivery
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
    secret = serializers.CharField(help_text="`whsec_...`, shown once.")

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


class SentAgainSerializer(serializers.Serializer):
    sent_again = serializers.IntegerField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {"sent_again": instance}
