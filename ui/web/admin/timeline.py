"""What has happened in a project, as people read it: the newest first."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.models import Event
from ui.event_messages import tell

SHOWN = 80
# What the story says nothing about is skipped, so more is read than is shown.
READ = 3 * SHOWN
MARK = re.compile(r"^\s*([!✓+?-])\s+")
ICONS = {
    "!": "warning",
    "✓": "check_circle",
    "+": "description",
    "-": "history",
    "?": "pan_tool",
    "": "circle",
}
TONES = {"green": "good", "red": "bad", "yellow": "warn", "cyan": "info", "magenta": "decided"}


@dataclass(frozen=True)
class Happening:
    event: Event
    text: str
    icon: str
    tone: str


def timeline_of(project_id: UUID, steps: list[dict[str, Any]]) -> list[Happening]:
    titles = {step["step"]: step["title"] for step in steps}
    events = Event.objects.filter(project=project_id).order_by("-sequence")[:READ]
    told = ((event, tell(event, titles)) for event in events)
    return [_happening(event, *line) for event, line in told if line][:SHOWN]


def _happening(event: Event, text: str, style: str) -> Happening:
    """The terminal's line, with an icon for its mark and a tone for its colour."""
    mark = MARK.match(text)
    icon = ICONS[mark[1] if mark else ""]
    tone = TONES.get(style.rpartition(" ")[2], "")
    return Happening(event, MARK.sub("", text).strip(), icon, tone)
