"""An event type."""

from audit.event_types import Message, register_event_type, who
from audit.models import Event


def _praised(event: Event, step: str) -> Message:
    return Message(f"{who(event)} praised {event.data['whom']}", tone="good")


WORK_PRAISED = register_event_type("work_praised", message=_praised, changes_inbox=True)
