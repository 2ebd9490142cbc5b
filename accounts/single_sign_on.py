"""What follows here from a login by OpenID Connect; the protocol is django-allauth's."""

from collections.abc import Iterable
from typing import Any

from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.signals import user_logged_in
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from accounts.current_actor import current_actor
from accounts.events import IDENTITY_LINKED, IDENTITY_UNLINKED
from audit.actors import Actor
from audit.installation import record_installation

#: In paths and in the database.
PROVIDER_ID = "sso"


class ResetPasswordForm(AllauthResetPasswordForm):
    """No password by mail for accounts that have none here."""

    def clean_email(self) -> str:
        email = super().clean_email()
        rows = SocialAccount.objects.filter(user__in=self.users)
        by_provider = set(rows.values_list("user", flat=True))
        self.users = [
            user for user in self.users if user.has_usable_password() and user.pk not in by_provider
        ]
        return email


def follow_groups(sender: Any, user: Any, sociallogin: SocialLogin | None = None, **_: Any) -> None:
    """At each login the person is in just those mapped groups that the provider names."""
    if sociallogin is None or not settings.OIDC_GROUPS:
        return
    named = set(groups_of(sociallogin.account.extra_data))
    mapped = settings.OIDC_GROUPS
    wanted = {local for remote, local in mapped.items() if remote in named}
    with transaction.atomic():
        groups = {name: Group.objects.get_or_create(name=name)[0] for name in mapped.values()}
        present = set(user.groups.filter(name__in=groups).values_list("name", flat=True))
        user.groups.add(*(groups[name] for name in sorted(wanted - present)))
        user.groups.remove(*(groups[name] for name in sorted(present - wanted)))


def groups_of(claims: dict[str, Any]) -> Iterable[str]:
    """Of the ID token, else of the user's information. What is no list of texts names none."""
    for part in ("id_token", "userinfo"):
        groups = (claims.get(part) or {}).get(settings.OIDC_GROUPS_CLAIM)
        if isinstance(groups, list):
            return [group for group in groups if isinstance(group, str)]
    return []


def record_identity(
    instance: SocialAccount, created: bool = False, actor: Actor | None = None, **_: Any
) -> None:
    """Whoever the provider calls so is this user from now on."""
    if created:
        _record(IDENTITY_LINKED, instance, actor or current_actor())


def record_removed_identity(instance: SocialAccount, **_: Any) -> None:
    _record(IDENTITY_UNLINKED, instance, current_actor())


def _record(event_type: Any, account: SocialAccount, actor: Actor) -> None:
    about = {"user": account.user_id, "username": account.user.get_username()}
    record_installation(event_type, actor, provider=account.provider, uid=account.uid, **about)


def watch_single_sign_on() -> None:
    user_logged_in.connect(follow_groups, dispatch_uid="accounts")
    post_save.connect(record_identity, SocialAccount, dispatch_uid="accounts")
    post_delete.connect(record_removed_identity, SocialAccount, dispatch_uid="accounts")
