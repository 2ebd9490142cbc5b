"""Reads of webhooks and what went to them."""

from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from notifications.enums import DeliveryStatus
from notifications.models import Webhook, WebhookDelivery


def webhooks_of(project_id: UUID) -> QuerySet[Webhook]:
    """Each with how many events are `pending` and `dead`."""
    return Webhook.objects.filter(project=project_id).annotate(
        pending=_count(DeliveryStatus.PENDING), dead=_count(DeliveryStatus.DEAD)
    )


def _count(status: DeliveryStatus) -> Coalesce:
    rows = WebhookDelivery.objects.filter(webhook=OuterRef("pk"), status=status).order_by()
    counts = rows.values("webhook").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counts), 0)
