"""Everything else, by Apprise: rooms and devices that the operators name. They are only told."""

import hashlib

from django.conf import settings

from core.text import one_line
from notifications.channel import Channel, register_channel
from notifications.messages import Message
from notifications.models import Notification
from notifications.notices import Kind
from notifications.personal import NotSent, send_due


@register_channel
class Apprise(Channel):
    name, label = "apprise", "Apprise"

    def recipients(self, kind: Kind) -> list[str]:
        wanted = settings.APPRISE_KINDS
        is_wanted = not wanted or kind.name in wanted
        return [recipient_of(url) for url in settings.APPRISE_URLS] if is_wanted else []

    def send(self, deadline: float) -> int:
        return send_due(self.name, send_message, deadline) if settings.APPRISE_URLS else 0


def recipient_of(url: str) -> str:
    """The addresses are secrets: what is stored only tells them apart."""
    return f"apprise:{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def send_message(told: list[tuple[Notification, Message]]) -> None:
    """Raises NotSent."""
    # It loads more than a hundred services.
    import apprise

    urls = {recipient_of(url): url for url in settings.APPRISE_URLS}
    row, message = told[0]
    if row.recipient not in urls:
        raise NotSent("APPRISE_URLS no longer names it.", is_final=True)
    sender = apprise.Apprise()
    if not sender.add(urls[row.recipient]):
        raise NotSent("Apprise does not know an address of this kind.", is_final=True)
    facts = "\n".join(f"{name}: {text}" for name, text in message.facts.items())
    body = "\n".join(filter(None, (one_line(message.lead), facts, message.link)))
    if not sender.notify(title=message.subject, body=body, body_format="text"):
        raise NotSent("Apprise could not deliver it.")
