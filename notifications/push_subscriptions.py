"""Browsers in which people want to be told."""

from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from core.errors import Conflict, InvalidInput
from notifications.models import PushSubscription
from notifications.web_push import CURVE, decoded
from notifications.webhooks import check_url

SUBSCRIPTIONS_MAX = 20
AUTH_BYTES = 16
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrom": "Chrome"}
BROWSERS |= {"Safari/": "Safari"}
SYSTEMS = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows"}
SYSTEMS |= {"Mac OS": "macOS", "CrOS": "ChromeOS", "Linux": "Linux"}


def subscribe(
    *, user: Any, endpoint: str, p256dh: str, auth: str, user_agent: str = ""
) -> PushSubscription:
    """This browser, as whoever is logged in now: of two people at one, the later is told there.

    Raises InvalidInput, Conflict `too_many`.
    """
    check_keys(p256dh, auth)
    values = {
        **{"user": user, "p256dh": p256dh, "auth": auth, "browser": browser_of(user_agent)},
        **{"disabled_at": None, "disabled_reason": "", "created_at": timezone.now()},
    }
    with transaction.atomic():
        others = PushSubscription.objects.filter(user=user).exclude(endpoint=endpoint)
        if others.count() >= SUBSCRIPTIONS_MAX:
            detail = f"You are told in {SUBSCRIPTIONS_MAX} browsers. Turn one off first."
            raise Conflict("too_many", detail)
        subscription, _ = PushSubscription.objects.update_or_create(
            endpoint=check_endpoint(endpoint), defaults=values
        )
    return subscription


def unsubscribe(*, user: Any, subscription_id: UUID) -> None:
    PushSubscription.objects.filter(user=user, pk=subscription_id).delete()


def enabled_subscriptions(user: Any) -> QuerySet[PushSubscription]:
    return PushSubscription.objects.filter(user=user, disabled_at=None)


def disable(subscription: PushSubscription, reason: str) -> None:
    PushSubscription.objects.filter(pk=subscription.pk).update(
        disabled_at=timezone.now(), disabled_reason=reason
    )


def check_endpoint(endpoint: str) -> str:
    """A browser has set it, so anybody may have. Raises InvalidInput."""
    try:
        return check_url(endpoint)
    except InvalidInput as error:
        detail = f"No message can be sent to the push service of this browser: {error.detail}"
        raise InvalidInput.of("endpoint", "invalid", detail) from error


def check_keys(p256dh: str, auth: str) -> None:
    """Raises InvalidInput."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, decoded(p256dh))
        is_secret = len(decoded(auth)) == AUTH_BYTES
    except ValueError:
        is_secret = False
    if not is_secret:
        detail = "These are not the keys of a browser's subscription. Turn it on again."
        raise InvalidInput.of("p256dh", "invalid", detail)


def browser_of(user_agent: str) -> str:
    """As its owner knows it again."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "A browser")
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
