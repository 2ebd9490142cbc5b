"""The ways to tell somebody. Each is one module in `channels/`."""

from typing import Any

from core.registry import Registry
from notifications.models import Preferences
from notifications.notices import Kind


class Channel:
    name: str
    label: str

    def recipients_of(self, user: Any, preferences: Preferences) -> list[str]:
        """Where it tells this person, each by itself; none where it can't, or they don't want."""
        return []

    def recipients(self, kind: Kind) -> list[str]:
        """Whom it tells beside the members of a project, by names of its own."""
        return []

    def send(self, deadline: float) -> int:
        """What is due, until `time.monotonic()` says so; how much was sent."""
        raise NotImplementedError


def person(user: Any) -> str:
    """The recipient where there is one for each person."""
    return f"user:{user.pk}"


channels: Registry[Channel] = Registry("channel", place="channels")


def register_channel(channel: type[Channel]) -> type[Channel]:
    channels.register(channel.name, channel(), label=channel.label)
    return channel
