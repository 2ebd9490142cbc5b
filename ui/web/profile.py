"""One's own page: name, time zone, password, tokens."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.models import PersonalToken
from accounts.profiles import NAME_MAX, change_profile, time_zone_of, time_zones
from accounts.second_factor import has_second_factor
from accounts.tokens import LONGEST_DAYS, create_token, revoke_token
from audit.actors import Actor
from core.authentication import Scope
from core.errors import DomainError, InvalidInput
from projects.models import Membership
from ui.web.absence import AbsenceForm, absences_of, end_absence
from ui.web.pages import add_errors, render_page


class ProfileForm(forms.Form):
    first_name = forms.CharField(label="First name", max_length=NAME_MAX, required=False)
    last_name = forms.CharField(label="Last name", max_length=NAME_MAX, required=False)
    time_zone = forms.ChoiceField(
        label="Time zone", choices=lambda: [(name, name.replace("_", " ")) for name in time_zones()]
    )

    def __init__(self, data: Any, user: Any) -> None:
        initial = {"first_name": user.first_name, "last_name": user.last_name}
        super().__init__(data, initial=initial | {"time_zone": time_zone_of(user)})
        self.user = user

    def save(self, request: HttpRequest) -> None:
        change_profile(user=self.user, session=request.session, **self.cleaned_data)
        messages.success(request, "Saved.")


class PasswordForm(PasswordChangeForm):
    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(user, data)
        # It is one form of several on its page.
        self.fields["old_password"].widget.attrs.pop("autofocus", None)

    def save_for(self, request: HttpRequest) -> None:
        user = self.save()
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed. Tokens made under the old one ended.")


class TokenForm(forms.Form):
    name = forms.CharField(label="What is it for?", max_length=100)
    scopes = forms.MultipleChoiceField(
        label="It may", choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(label="Ends after days", min_value=1, max_value=LONGEST_DAYS)

    def __init__(self, data: Any, user: Any) -> None:
        super().__init__(data, initial={"days": settings.TOKEN_DAYS, "scopes": [Scope.READ]})
        self.user = user

    def make(self) -> str:
        """The key. Raises DomainError."""
        values = self.cleaned_data
        # A second less: what is asked for must not be later than the limit when it gets there.
        expires_at = timezone.now() + timedelta(days=values["days"]) - timedelta(seconds=1)
        name, scopes = values["name"], values["scopes"]
        return create_token(user=self.user, name=name, scopes=scopes, expires_at=expires_at)[1]


FORMS = {
    "profile": ProfileForm,
    "password": PasswordForm,
    "token": TokenForm,
    "absence": AbsenceForm,
}


@never_cache
def show_profile(request: HttpRequest) -> HttpResponse:
    """Three forms on one page; `form` says which one was sent. A new token's key is shown once."""
    sent, user, key, status = request.POST.get("form", ""), request.user, "", 200
    bound = {
        name: form(request.POST if name == sent else None, user) for name, form in FORMS.items()
    }
    if request.method == "POST":
        try:
            if sent in ("revoke", "end_absence"):
                if sent == "revoke":
                    revoke(request)
                else:
                    end_absence(request, id_in(request, "absence"))
                return redirect("admin:profile")
            form = bound.get(sent)
            if form is not None and form.is_valid():
                if sent == "token":
                    key = form.make()
                    bound["token"] = TokenForm(None, user)
                else:
                    form.save_for(request) if sent == "password" else form.save(request)
                    return redirect("admin:profile")
            else:
                status = 400
        except DomainError as error:
            add_errors(bound[sent], error) if sent in bound else messages.error(
                request, error.detail
            )
            status = error.status
    context = {
        "title": "Your profile",
        "forms": bound,
        "key": key,
        "tokens": PersonalToken.objects.filter(user=user).order_by("-created_at", "-id"),
        "has_second_factor": has_second_factor(user),
        "absences": absences_of(user),
        "memberships": Membership.objects.filter(user=user).select_related("project"),
        "now": timezone.now(),
    }
    return render_page(request, "ui/people/profile.html", context, status=status)


def revoke(request: HttpRequest) -> None:
    """Raises InvalidInput, NotFound."""
    token_id, actor = id_in(request, "token"), Actor.of_user(request.user)
    revoke_token(token_id=token_id, actor=actor, owner=request.user)
    messages.success(request, "Revoked: the token opens nothing any more.")


def id_in(request: HttpRequest, name: str) -> UUID:
    """Raises InvalidInput."""
    try:
        return forms.UUIDField().clean(request.POST.get(name))
    except ValidationError:
        raise InvalidInput("invalid", f"Nothing was done: the form names no {name}.") from None
