"""How one wants to be told: one's own page."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from core.errors import DomainError
from notifications.channels.email import address_of
from notifications.enums import WhenTold
from notifications.models import Notification
from notifications.notices import kinds
from notifications.people import send_test
from notifications.preferences import (
    change_preferences,
    preferences_of,
    time_zone_of,
    when_told,
)
from notifications.push_subscriptions import subscribe, unsubscribe
from notifications.slack_accounts import (
    is_configured,
    linked_account,
    new_code,
    unlink_account,
)
from notifications.web_push import public_key
from ui.web.pages import add_errors, render_page
from ui.web.profile import id_in

SHOWN_MAX = 20
CLOCK = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


class PreferencesForm(forms.Form):
    by_slack = forms.BooleanField(label="By Slack", required=False)
    by_email = forms.BooleanField(label="By e-mail", required=False)
    digest_hour = forms.TypedChoiceField(
        label="What comes once a day comes at",
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        coerce=int,
        widget=forms.Select(attrs={"class": "fitting"}),
    )
    quiet_from = forms.TimeField(label="Quiet from", required=False, widget=CLOCK)
    quiet_until = forms.TimeField(label="Quiet until", required=False, widget=CLOCK)

    def __init__(self, data: Any, user: Any) -> None:
        preferences = preferences_of(user)
        initial = {name: getattr(preferences, name) for name in self.base_fields}
        initial |= {f"kinds.{kind.name}": when_told(preferences, kind.name) for kind in kinds}
        super().__init__(data, initial=initial)
        for kind in kinds:
            self.fields[f"kinds.{kind.name}"] = forms.ChoiceField(
                label=kinds.label(kind.name),
                choices=WhenTold.choices,
                help_text=kind.about,
                widget=forms.Select(attrs={"class": "fitting"}),
            )

    @property
    def kinds(self) -> list[forms.BoundField]:
        return [self[f"kinds.{kind.name}"] for kind in kinds]

    @property
    def times(self) -> list[forms.BoundField]:
        return [self[name] for name in ("digest_hour", "quiet_from", "quiet_until")]

    def changes(self) -> dict[str, Any]:
        """As `change_preferences` takes them."""
        changes = dict(self.cleaned_data)
        chosen = {kind.name: changes.pop(f"kinds.{kind.name}") for kind in kinds}
        return changes | {"kinds": chosen}


@never_cache
def show_preferences(request: HttpRequest) -> HttpResponse:
    """On POST `verb` may be about one channel; a new code for Slack is shown this once."""
    user, status, code = request.user, 200, ""
    verb = request.POST.get("verb", "")
    if verb == "link_slack" and is_configured():
        code = new_code(user)
    elif verb:
        try:
            act(request, verb)
        except DomainError as error:
            messages.error(request, error.detail)
        return redirect("admin:notification_preferences")
    is_sent = request.method == "POST" and not verb
    form = PreferencesForm(request.POST if is_sent else None, user)
    if form.is_bound:
        try:
            if form.is_valid():
                change_preferences(user=user, **form.changes())
                messages.success(request, "Saved.")
                return redirect("admin:notification_preferences")
            status = 400
        except DomainError as error:
            add_errors(form, error)
            status = error.status
    context = {
        "title": "Notifications",
        "trail": [("Your profile", reverse("admin:profile"))],
        "form": form,
        "address": address_of(user),
        "is_local": settings.EMAIL_BACKEND == settings.OUTBOX_BACKEND,
        "time_zone": time_zone_of(user),
        "has_slack": is_configured(),
        "slack": linked_account(user),
        "code": code,
        "push_key": public_key(),
        "browsers": user.push_subscriptions.all(),
        "latest": Notification.objects.filter(user=user).select_related("project")[:SHOWN_MAX],
    }
    return render_page(request, "ui/notifications/preferences.html", context, status=status)


def act(request: HttpRequest, verb: str) -> None:
    """Raises DomainError."""
    user, sent = request.user, request.POST
    match verb:
        case "unlink_slack":
            unlink_account(user)
        case "test":
            if count := send_test(user):
                tests = "A test is" if count == 1 else f"{count} tests are"
                messages.success(request, f"{tests} on the way to you: see “What you were told”.")
            else:
                messages.error(request, "Nothing reaches you: choose below how you are told.")
        case "subscribe":
            names = ("endpoint", "p256dh", "auth")
            keys = {name: sent.get(name, "") for name in names}
            subscribe(user=user, user_agent=request.headers.get("User-Agent", ""), **keys)
            messages.success(request, "From now on you are told in this browser, too.")
        case "unsubscribe":
            unsubscribe(user=user, subscription_id=id_in(request, "browser"))
