"""Accounts for which a password alone is not enough: by a second factor, or single sign-on."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models.signals import post_delete, post_save

from accounts.current_actor import current_actor
from accounts.events import SECOND_FACTOR_ADDED, SECOND_FACTOR_REMOVED
from audit.installation import record_installation
from core.errors import Forbidden

CODE = "second_factor_required"
BY_PROVIDER = "This account logs in by single sign-on, not by a password here."
BY_FACTOR = "This account has a second factor: log in on the page that asks for it."


def why_not_by_password(user: Any) -> str:
    """Empty where name and password are enough."""
    if SocialAccount.objects.filter(user=user).exists():
        return BY_PROVIDER
    return BY_FACTOR if has_second_factor(user) else ""


def has_second_factor(user: Any) -> bool:
    return Authenticator.objects.filter(user=user).exists()


def check_password_is_enough(user: Any) -> None:
    """Raises Forbidden `second_factor_required`."""
    if reason := why_not_by_password(user):
        detail = f"{reason} For programs, make a token on your own page."
        raise Forbidden(CODE, detail)


def record_factor(instance: Authenticator, created: bool = False, **_: Any) -> None:
    """What of it is, never its secret. Use of it changes the row, too."""
    if created:
        _record(SECOND_FACTOR_ADDED, instance)


def record_removed_factor(instance: Authenticator, **_: Any) -> None:
    _record(SECOND_FACTOR_REMOVED, instance)


def _record(event_type: Any, factor: Authenticator) -> None:
    about = {"user": factor.user_id, "username": factor.user.get_username()}
    record_installation(event_type, current_actor(), kind=str(factor.type), **about)


def watch_second_factors() -> None:
    post_save.connect(record_factor, Authenticator, dispatch_uid="accounts")
    post_delete.connect(record_removed_factor, Authenticator, dispatch_uid="accounts")
