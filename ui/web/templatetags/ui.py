from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

TONES = {
    "clarification": "info",
    "escalation": "warn",
    "completed": "good",
    "approved": "good",
    "accepted": "good",
    "amended": "good",
    "answered": "good",
    "active": "info",
    "working": "info",
    "waiting_for_hitl": "warn",
    "pending": "warn",
    "paused": "warn",
    "expired": "bad",
    "error": "bad",
    "failed": "bad",
    "rejected": "bad",
}
MARKS = {
    "completed": "check_circle",
    "working": "autorenew",
    "waiting_for_hitl": "pan_tool",
    "failed": "error",
    "cancelled": "cancel",
    "pending": "schedule",
}


@register.filter
def words(value: Any) -> str:
    """A public value as people say it."""
    return str(value).replace("_", " ")


@register.filter
def state_words(value: str) -> str:
    return {"waiting_for_hitl": "waits for a person", "": "not started"}.get(value, words(value))


@register.filter
def kind_tone(value: str) -> str:
    return TONES.get(value, "")


@register.filter
def mark(value: str) -> str:
    """The name of the icon of a state."""
    return MARKS.get(value, "circle")


@register.simple_tag
def state(value: str) -> SafeString:
    return format_html('<span class="chip {}">{}</span>', TONES.get(value, ""), state_words(value))


@register.filter
def age(since: datetime) -> str:
    """How long ago, in its largest unit."""
    seconds = max(0, int((timezone.now() - since).total_seconds()))
    return _in_largest_unit(seconds) or "less than a minute"


@register.filter
def until(moment: datetime) -> str:
    """How much time is left, in its largest unit."""
    seconds = int((moment - timezone.now()).total_seconds())
    return _in_largest_unit(max(0, seconds)) or "less than a minute"


@register.filter
def took(since: datetime | None, until: datetime) -> str:
    """From one time to another, in its largest unit."""
    seconds = max(0.0, (until - (since or until)).total_seconds())
    return _in_largest_unit(int(seconds)) or f"{seconds:.0f} s" if seconds >= 1 else "less than 1 s"


@register.filter
def span(seconds: int) -> str:
    return _in_largest_unit(seconds) or f"{seconds} s"


def _in_largest_unit(seconds: int) -> str:
    """Empty below a minute."""
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return ""


@register.filter
def join_first(names: Sequence[Any], number: int) -> str:
    """The first ones, and how many more there are."""
    shown = ", ".join(str(name) for name in names[:number])
    more = len(names) - number
    return f"{shown} and {more} more" if more > 0 else shown


@register.filter
def answer_to(said: Any, number: int) -> str:
    """What the person had written before the page came back."""
    return said.get(f"answer-{number}", "") if said else ""


@register.filter
def any_permitted(items: Sequence[dict[str, Any]]) -> bool:
    """Whether a group of the menu has anything for this person."""
    return any(item["has_permission"] for item in items)
