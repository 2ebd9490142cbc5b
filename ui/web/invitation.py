"""Where the link of an invitation leads. Opening it changes nothing: only the button does."""

from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.errors import DomainError, Gone
from projects.invitations import accept_as_new_user, accept_invitation, find_invitation
from projects.models import Membership
from ui.web.pages import add_errors
from ui.wording import ROLES


class AccountForm(forms.Form):
    """Shape only: which names and passwords there may be is up to `accept_as_new_user`."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        help_text="Others see it beside what you decide.",
        widget=forms.TextInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        label="Password",
        max_length=4096,
        strip=False,
        help_text="At least 8 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_invitation(request: HttpRequest) -> HttpResponse:
    key = request.POST.get("key") or request.GET.get("key", "")
    is_new = not request.user.is_authenticated
    form, status = None, 200
    if is_new and settings.INVITATIONS_MAKE_ACCOUNTS:
        form = AccountForm(request.POST if request.method == "POST" else None)
    try:
        invitation = find_invitation(key)
        if request.method == "POST" and not is_new:
            return welcome(accept_invitation(key=key, user=request.user))
        if request.method == "POST" and form and form.is_valid():
            member = accept_as_new_user(key=key, **form.cleaned_data)
            login(request, member.user, backend=settings.AUTHENTICATION_BACKENDS[0])
            return welcome(member)
        status = 400 if form and form.errors else 200
    except Gone as error:
        context = {"title": "This link has ended", "problem": error.detail}
        return render(request, context, error.status)
    except DomainError as error:
        add_errors(form, error)
        status = error.status
    login_url = f"{reverse('admin:login')}?{urlencode({'next': request.get_full_path()})}"
    context = {
        "title": "You are invited",
        "invitation": invitation,
        "meaning": ROLES[invitation.role],
        "key": key,
        "form": form,
        "login_url": login_url,
    }
    return render(request, context, status)


def welcome(member: Membership) -> HttpResponse:
    return redirect("admin:projects_project_change", member.project_id)


def render(request: HttpRequest, context: dict, status: int) -> TemplateResponse:
    return TemplateResponse(request, "ui/people/invitation.html", context, status=status)
