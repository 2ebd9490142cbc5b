from django.db import models

from audit.event_types import EventType as RegisteredType
from audit.event_types import event_types


class EventSource(models.TextChoices):
    AGENT = "agent", "Agent"
    USER = "user", "User"
    SYSTEM = "system", "System"
    WEBHOOK = "webhook", "Webhook"
    SCHEDULER = "scheduler", "Scheduler"


class _Registered(type):
    """Looks a type up by its name in capitals."""

    def __getattr__(cls, name: str) -> RegisteredType:
        if name.isupper() and (event_type := event_types.get(name.lower())):
            return event_type
        raise AttributeError(name)

    @property
    def values(cls) -> list[str]:
        return event_types.values


class EventType(RegisteredType, metaclass=_Registered):
    """The registered types as attributes. New code imports them from the `events` of their app."""
