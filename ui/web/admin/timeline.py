"""What has happened in a project, as people read it: the newest first."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.models import Event
from ui.event_messages import event_message

SHOWN = 80
# What the story says nothing about is skipped, so more is read than is shown.
READ = 3 * SHOWN
ICONS = {
    "!": "warning",
    "✓": "check_circle",
    "+": "description",
    "-": "history",
    "?": "pan_tool",
    "": "circle",
}


@dataclass(frozen=True)
class Happening:
    event: Event
    text: str
    icon: str
    tone: str


def timeline_of(project_id: UUID, steps: list[dict[str, Any]]) -> list[Happening]:
    titles = {step["step"]: step["title"] for step in steps}
    events = Event.objects.filter(project=project_id).order_by("-sequence")[:READ]
    messages = ((event, event_message(event, titles)) for event in events)
    return [
        Happening(event, message.text, ICONS[message.mark], message.tone)
        for event, message in messages
        if message
    ][:SHOWN]
