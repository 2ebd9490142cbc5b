"""The ways to log in: by password alone where that is enough, else by django-allauth's pages."""

import logging
import smtplib
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.second_factor import BY_PROVIDER, CODE, has_second_factor, why_not_by_password
from core.encryption import decrypt, encrypt

logger = logging.getLogger(__name__)

PURPOSE = "second factor"


class LoginForm(AuthenticationForm):
    """For every active account, where Django's admin would ask for staff."""

    def confirm_login_allowed(self, user: Any) -> None:
        """Raises ValidationError where a password alone is not enough."""
        super().confirm_login_allowed(user)
        if reason := why_not_by_password(user):
            raise ValidationError(reason, code=CODE)


def refuse_password_alone(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """403 where the password was right and is not enough, with the way to go on."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    if form is None or not form.is_bound or not form.has_error("__all__", CODE):
        return response
    response.status_code = 403
    user = form.get_user()
    is_by_provider = SocialAccount.objects.filter(user=user).exists()
    if has_second_factor(user) and not is_by_provider:
        # Nobody is logged in by it: the session remembers that the password was right.
        login = Login(user=user, redirect_url=request.POST.get("next") or None)
        credentials = {"username": user.get_username()}
        response.context_data["go_on"] = perform_password_login(request, credentials, login).url
    return response


class ApiLoginView(LoginView):
    """Of the browsable API."""

    template_name = "rest_framework/login.html"
    authentication_form = LoginForm

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return refuse_password_alone(self.request, super().form_invalid(form))


class AccountAdapter(DefaultAccountAdapter):
    """Accounts come from operators, invitations and the identity provider; nobody signs up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(
        self, request: HttpRequest, user: Any, *, signal_kwargs: Any, **more: Any
    ) -> HttpResponse | None:
        """By a password only where no identity provider vouches for the account."""
        is_by_provider = bool((signal_kwargs or {}).get("sociallogin"))
        if not is_by_provider and SocialAccount.objects.filter(user=user).exists():
            return refusal(request, "Log in by single sign-on", BY_PROVIDER)
        return super().pre_login(request, user, signal_kwargs=signal_kwargs, **more)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """By the address that people know, not by a header of whoever asked."""
        return f"{settings.PUBLIC_URL}{urlsplit(super().get_reset_password_from_key_url(key)).path}"

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """Whether a mail server takes it tells nobody whether there is such an account."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, smtplib.SMTPException):
            logger.exception("mail not sent", extra={"template": template_prefix})


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Whoever the provider knows gets an account, and sees nothing but what groups give it."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return True

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Nobody becomes a second person here beside the one they are."""
        if sociallogin.is_existing or sociallogin.state.get("process") == "connect":
            return
        user = sociallogin.user
        same = Q(username__iexact=user.username)
        if user.email:
            same |= Q(email__iexact=user.email)
        if get_user_model().objects.filter(same).exists():
            text = (
                "There is an account here with your user name or mail address, which is not linked "
                "to the identity provider. Log in with its password and link it on your own page."
            )
            raise ImmediateHttpResponse(refusal(request, "Not linked yet", text))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        **_: Any,
    ) -> None:
        """The reason is for operators."""
        logger.warning("single sign-on failed", extra={"reason": f"{error} {exception}"})
        text = "The identity provider did not let you in, or can't be reached. Try again."
        raise ImmediateHttpResponse(refusal(request, "Not logged in", text))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets are of no use to who has the database alone."""

    def encrypt(self, text: str) -> str:
        return encrypt(text, purpose=PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt(encrypted_text, purpose=PURPOSE)


def refusal(request: HttpRequest, title: str, text: str) -> HttpResponse:
    context = {"title": title, "text": text, "code": CODE}
    return render(request, "ui/people/not_by_password.html", context, status=403)
