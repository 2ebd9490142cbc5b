"""Mails: those that no server took because none is set, and those that were given up."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from core.errors import DomainError
from notifications.enums import DeliveryStatus
from notifications.models import LocalMail, Notification
from notifications.preferences import send_again
from ui.web.pages import render_page

SHOWN_MAX = 50


def show_outbox(request: HttpRequest) -> HttpResponse:
    if not request.user.is_superuser:
        raise PermissionDenied
    dead = Notification.objects.filter(status=DeliveryStatus.DEAD)
    context = {
        "title": "Outbox",
        "mails": LocalMail.objects.all()[:SHOWN_MAX],
        "is_local": settings.EMAIL_BACKEND == settings.OUTBOX_BACKEND,
        "dead": dead.select_related("user", "project")[:SHOWN_MAX],
        "waiting": Notification.objects.filter(status=DeliveryStatus.PENDING).count(),
        "now": timezone.now(),
    }
    return render_page(request, "ui/notifications/outbox.html", context)


@require_POST
def send_notification_again(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """One's own, or for a superuser anybody's. Raises Http404."""
    rows = Notification.objects.filter(pk=notification_id)
    if not request.user.is_superuser:
        rows = rows.filter(user=request.user)
    if not rows.exists():
        raise Http404("There is no such notification.")
    try:
        send_again(rows)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "It is sent again.")
    is_own = rows.filter(user=request.user).exists()
    return redirect("admin:notification_preferences" if is_own else "admin:outbox")
