"""The webhooks of a project, for its owners: make, try, look at, send again."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from audit.actors import Actor
from audit.event_types import event_type_choices
from core.errors import DomainError, NotFound
from notifications.enums import DeliveryStatus
from notifications.models import WebhookDelivery
from notifications.selectors import webhooks_of
from notifications.webhooks import (
    create_webhook,
    delete_webhook,
    enable_webhook,
    rotate_secret,
    send_again,
    send_test,
)
from projects.access import role_of
from projects.enums import Role
from projects.models import Project
from ui.web.pages import add_errors, render_page

SHOWN_MAX = 50
VERBS: dict[str, tuple[Callable[..., Any], str]] = {
    "delete": (delete_webhook, "The webhook is deleted."),
    "test": (send_test, "A test is on its way: look at “Latest deliveries” in a moment."),
    "enable": (enable_webhook, "The webhook is on again, for what happens from now on."),
    "rotate": (rotate_secret, ""),
    "send_again": (send_again, "What was given up is sent again, with the same ids."),
}


class WebhookForm(forms.Form):
    """Shape only: which addresses are allowed is up to `create_webhook`."""

    url = forms.CharField(
        label="Address", widget=forms.URLInput(attrs={"placeholder": "https://example.org/hook"})
    )
    event_types = forms.MultipleChoiceField(
        label="Only these events",
        choices=event_type_choices,
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )


@never_cache
def show_webhooks(request: HttpRequest, project: Project) -> HttpResponse:
    """On POST `verb` says what to do. A new secret is shown on the answer, this once."""
    is_owner = role_of(request.user, project.pk) == Role.OWNER
    if not (is_owner or request.user.is_superuser):
        raise PermissionDenied
    where = {"project_id": project.pk, "actor": Actor.of_user(request.user)}
    verb, secret, status = request.POST.get("verb", ""), None, 200
    form = WebhookForm(request.POST if verb == "create" else None)
    try:
        if verb == "create" and form.is_valid():
            _, secret = create_webhook(**where, **form.cleaned_data)
            form = WebhookForm()
        elif verb in VERBS:
            done = act(request, verb, where)
            if verb != "rotate":
                return redirect("admin:project_webhooks", project.pk)
            _, secret = done
        elif request.method == "POST":
            status = 400
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        status = error.status
        if verb != "create":
            messages.error(request, error.detail)
            return redirect("admin:project_webhooks", project.pk)
        add_errors(form, error)
    deliveries = WebhookDelivery.objects.filter(webhook__project=project)
    context = {
        "title": "Webhooks",
        "trail": [
            ("Projects", reverse("admin:projects_project_changelist")),
            (project.name, reverse("admin:projects_project_change", args=[project.pk])),
        ],
        "project": project,
        "webhooks": webhooks_of(project.pk),
        "deliveries": deliveries.select_related("webhook")[:SHOWN_MAX],
        "dead": DeliveryStatus.DEAD,
        "form": form,
        "secret": secret,
    }
    return render_page(request, "ui/notifications/webhooks.html", context, status=status)


def act(request: HttpRequest, verb: str, where: dict[str, Any]) -> Any:
    """Raises DomainError, Http404."""
    service, done = VERBS[verb]
    try:
        ids = {"webhook_id": forms.UUIDField().clean(request.POST.get("webhook"))}
        if request.POST.get("delivery"):
            ids["delivery_id"] = forms.UUIDField().clean(request.POST["delivery"])
    except ValidationError:
        raise Http404("There is no such webhook.") from None
    result = service(**where, **ids)
    if done:
        messages.success(request, done)
    return result
