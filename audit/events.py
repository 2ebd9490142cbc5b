from audit.event_types import Message, register_event_type
from audit.models import Event


def _problem(event: Event, step: str) -> Message:
    text = f"{step}: {event.data.get('code', '')}: {event.data.get('detail', '')}"
    return Message(text, "!", "bad")


# In the log of the installation.
BACKUP_RESTORED = register_event_type("backup_restored")
EVENTS_ARCHIVED = register_event_type("events_archived")
SYSTEM_WARNING = register_event_type("system_warning", message=_problem)
SYSTEM_ERROR = register_event_type("system_error", message=_problem)
