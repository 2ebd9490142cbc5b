"""Events as one line each, for people who follow a project; the apps word them in `events`."""

from audit.event_types import EventType, Message
from audit.models import Event

COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "info": "cyan", "decided": "magenta"}


def event_message(event: Event, titles: dict[str, str]) -> Message | None:
    """None for an event that the line of another one already covers.

    `titles`: the title of each step by its id.
    """
    builder = EventType.named(event.event_type).message
    step = event.data.get("step", "")
    return builder and builder(event, titles.get(step, "") or step or "A separate task")


def terminal_line(message: Message) -> tuple[str, str]:
    """Text and style of `rich`."""
    indent = "" if message.stands_out or message.mark not in ("", "+") else "  "
    if message.tone == "info":
        indent = ""
    mark = f"{message.mark} " if message.mark else ""
    bold = "bold " if message.stands_out else ""
    return f"{indent}{mark}{message.text}", f"{bold}{COLOURS.get(message.tone, '')}".strip()
