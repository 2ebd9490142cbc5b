"""Links between accounts in Slack and here.

The code goes from Paraph to Slack, never the other way: who clicks a link that somebody sent them
links nothing.
"""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from core.authentication import hash_key
from core.errors import Conflict, NotFound
from notifications.models import SlackAccount

CODE_LASTS = timedelta(minutes=10)


def is_configured() -> bool:
    """Slack can be told, and presses of its buttons arrive: at an address, or by our connection."""
    ways_in = settings.SLACK_SIGNING_SECRET or settings.SLACK_APP_TOKEN
    return bool(settings.SLACK_BOT_TOKEN and ways_in)


def linked_account(user: Any) -> SlackAccount | None:
    return SlackAccount.objects.filter(user=user).exclude(slack_user="").first()


def new_code(user: Any) -> str:
    """To be typed in Slack within ten minutes, as `/paraph link CODE`."""
    code = secrets.token_urlsafe(12)
    SlackAccount.objects.update_or_create(
        user=user,
        defaults={"code_sha256": hash_key(code), "code_until": timezone.now() + CODE_LASTS},
    )
    return code


def link_account(*, code: str, team: str, slack_user: str) -> SlackAccount:
    """Raises NotFound for a code that is wrong or over, Conflict for an account that is taken."""
    accounts = SlackAccount.objects.filter(
        code_sha256=hash_key(code), code_until__gt=timezone.now(), user__is_active=True
    )
    try:
        with transaction.atomic():
            account = accounts.select_for_update(of=("self",)).select_related("user").first()
            if account is None:
                detail = "This code is wrong or over. Make a new one on your page Notifications."
                raise NotFound("not_found", detail)
            account.team, account.slack_user = team, slack_user
            account.linked_at = timezone.now()
            account.code_sha256, account.code_until = "", None
            account.save()
    except IntegrityError as error:
        detail = "This Slack account is linked to somebody else. They unlink it first."
        raise Conflict("already_linked", detail) from error
    return account


def unlink_account(user: Any) -> None:
    SlackAccount.objects.filter(user=user).delete()


def user_of(team: str, slack_user: str) -> Any:
    """None where nobody is linked, or whoever is may no longer log in."""
    accounts = SlackAccount.objects.filter(team=team, slack_user=slack_user)
    account = accounts.filter(user__is_active=True).select_related("user").first()
    return account.user if account else None
