"""Browsers: a message through each one's push service, which can't read it."""

import hashlib
import json
from typing import Any
from uuid import UUID

from core.text import one_line
from notifications.channel import Channel, register_channel
from notifications.http_client import NotDelivered, post
from notifications.messages import Message, absolute
from notifications.models import Notification, Preferences, PushSubscription
from notifications.personal import NotSent, send_due
from notifications.push_subscriptions import disable, enabled_subscriptions
from notifications.web_push import (
    PLAIN_MAX,
    decoded,
    encoded,
    encrypt,
    headers_for,
    is_configured,
)

PREFIX = "push:"
LINE_MAX = 400
GONE = {404, 410}
#: The push service would answer the same again.
FINAL = {400, 401, 403, 413}


@register_channel
class Push(Channel):
    name, label = "push", "Browser"

    def recipients_of(self, user: Any, preferences: Preferences) -> list[str]:
        """Each browser by itself: one that is away does not repeat it in the others."""
        if not is_configured():
            return []
        return [f"{PREFIX}{subscription.pk}" for subscription in enabled_subscriptions(user)]

    def send(self, deadline: float) -> int:
        return send_due(self.name, send_message, deadline) if is_configured() else 0


def send_message(told: list[tuple[Notification, Message]]) -> None:
    """Raises NotSent."""
    row, _ = told[0]
    subscription = enabled_subscriptions(row.user).filter(pk=subscription_id(row)).first()
    if subscription is None:
        raise NotSent("This browser is turned off.", is_final=True)
    status = post_to(subscription, payload_of(told), topic_of(row.key))
    if status in GONE:
        reason = f"It answered {status}: the browser no longer takes messages."
        disable(subscription, reason)
        raise NotSent(reason, is_final=True)
    if not 200 <= status < 300:
        raise NotSent(f"The push service answered {status}.", is_final=status in FINAL)


def post_to(subscription: PushSubscription, payload: bytes, topic: str) -> int:
    """The status of the answer. Raises NotSent."""
    keys = {"browser_key": decoded(subscription.p256dh), "auth": decoded(subscription.auth)}
    try:
        return post(
            subscription.endpoint,
            encrypt(payload, **keys),
            headers_for(subscription.endpoint, topic),
        )
    except NotDelivered as error:
        raise NotSent(f"The push service was not reached: {error}") from error


def payload_of(told: list[tuple[Notification, Message]]) -> bytes:
    """What the service worker of our pages shows. A browser shows one `id` once."""
    row, message = told[0]
    shown = {"id": row.key, "title": message.subject, "body": message.lead, "link": message.link}
    if len(told) > 1:
        shown |= {"title": f"Paraph: {len(told)} things since you were last told"}
        shown |= {"body": "\n".join(message.subject for _, message in told[:5])}
        shown |= {"link": absolute()}
    shown["title"], shown["body"] = one_line(shown["title"]), shown["body"][:LINE_MAX]
    payload = json.dumps(shown, ensure_ascii=False).encode()
    if len(payload) > PLAIN_MAX:
        payload = json.dumps(shown | {"body": ""}, ensure_ascii=False).encode()
    return payload


def topic_of(key: str) -> str:
    return encoded(hashlib.sha256(key.encode()).digest())[:32]


def subscription_id(row: Notification) -> UUID:
    return UUID(row.recipient.removeprefix(PREFIX))
