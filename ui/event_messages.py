"""What an event means to somebody who follows a project; the apps word it in their `events`."""

from audit.event_types import EventType, Message
from audit.models import Event

COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "info": "cyan", "decided": "magenta"}


def event_message(event: Event, titles: dict[str, str]) -> Message | None:
    """None for what the message of another event says already. `titles`: of the steps."""
    builder = EventType.named(event.event_type).message
    step = event.data.get("step", "")
    return builder and builder(event, titles.get(step, "") or step or "work of its own")


def terminal_line(message: Message) -> tuple[str, str]:
    """Text and style of `rich`."""
    indent = "" if message.stands_out or message.mark not in ("", "+") else "  "
    if message.tone == "info":
        indent = ""
    mark = f"{message.mark} " if message.mark else ""
    bold = "bold " if message.stands_out else ""
    return f"{indent}{mark}{message.text}", f"{bold}{COLOURS.get(message.tone, '')}".strip()
