"""The ways to tell somebody. Each is one module in `channels/`."""

from typing import Any

from core.registry import Registry
from notifications.models import Preferences
from notifications.notices import Kind


class Channel:
    name: str
    label: str

    def reaches(self, user: Any, preferences: Preferences) -> bool:
        """Whether it can tell this person, and they want it to."""
        return False

    def recipients(self, kind: Kind) -> list[str]:
        """Whom it tells beside the members of a project, by names of its own."""
        return []

    def send(self, deadline: float) -> int:
        """What is due, until `time.monotonic()` says so; how much was sent."""
        raise NotImplementedError


channels: Registry[Channel] = Registry("channel", place="channels")


def register_channel(channel: type[Channel]) -> type[Channel]:
    channels.register(channel.name, channel(), label=channel.label)
    return channel
