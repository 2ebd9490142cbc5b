from audit.event_types import Message, register_event_type, who
from audit.models import Event


def _written(event: Event, step: str) -> Message:
    maker = event.data.get("provider") or who(event)
    text = f"{event.data.get('title')}, version {event.data.get('version')} ({maker})"
    return Message(text, "+")


ARTIFACT_CREATED = register_event_type("artifact_created", message=_written)
ARTIFACT_UPDATED = register_event_type("artifact_updated", message=_written)
