from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from agents.models import TaskAttempt
from agents.providers import demo_hint
from ui import wording
from ui.web.projects.new_project import examples

register = template.Library()

TONES = {
    "clarification": "info",
    "escalation": "warn",
    "completed": "good",
    "approved": "good",
    "accepted": "good",
    "amended": "good",
    "answered": "good",
    "pass": "good",
    "active": "info",
    "working": "info",
    "waiting_for_hitl": "warn",
    "pending": "warn",
    "paused": "warn",
    "expired": "bad",
    "sent": "good",
    "dead": "bad",
    "error": "bad",
    "failed": "bad",
    "fail": "bad",
    "running": "info",
    "needs_person": "warn",
    "transient_error": "warn",
    "permanent_error": "bad",
    "crashed": "bad",
    "rejected": "bad",
}
STATE_ICONS = {
    "": "radio_button_unchecked",
    "completed": "check_circle",
    "working": "autorenew",
    "waiting_for_hitl": "pan_tool",
    "failed": "error",
    "cancelled": "cancel",
    "pending": "schedule",
}

register.filter("label", wording.label)
register.filter("duration", wording.duration)
register.filter("age", wording.time_since)
register.filter("timestamp", wording.timestamp)
register.filter("field_name", wording.field_name)


@register.filter
def counted(number: int, noun: str) -> str:
    return wording.counted(number, noun)


@register.simple_tag
def chip(value: str, count: int | None = None) -> SafeString:
    """A status or kind as a small coloured label, and how many there are of it."""
    text = capfirst(wording.label(value))
    if count is not None:
        text = f"{text}: {count}"
    return format_html('<span class="chip {}">{}</span>', TONES.get(value, ""), text)


@register.simple_tag
def step_icon(step: dict[str, Any]) -> SafeString:
    icon = STATE_ICONS.get(step["status"] if step["task"] else "", "circle")
    return format_html('<span class="icon mark" aria-hidden="true">{}</span>', icon)


@register.inclusion_tag("ui/demo_hint.html", name="demo_hint")
def show_demo_hint() -> dict[str, Any]:
    """One sentence on how to connect a model, where the demo model serves."""
    return {"hint": demo_hint()}


@register.inclusion_tag("ui/projects/first_project.html")
def first_project() -> dict[str, Any]:
    """What somebody without any project needs: examples, which model serves, and who is who."""
    served = settings.AGENT_MODELS.items()
    return {
        "examples": examples(),
        "served": [(wording.label(agent), model) for agent, model in served],
    }


@register.filter
def took(since: datetime | None, until: datetime) -> str:
    return wording.duration((until - (since or until)).total_seconds())


@register.filter
def used(attempt: TaskAttempt) -> str:
    """The tokens of an attempt and what they cost."""
    tokens = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
    known = attempt.cost_micros is not None or not attempt.calls
    cost = wording.money(attempt.cost_micros or 0) if known else "cost unknown"
    return f"{wording.counted(tokens, 'token')}, {cost}"


@register.filter
def join_first(names: Sequence[Any], number: int) -> str:
    """The first few, and how many more there are."""
    text = ", ".join(str(name) for name in names[:number])
    more = len(names) - number
    return f"{text} and {more} more" if more > 0 else text


@register.filter
def answer_to(typed: Any, number: int) -> str:
    """What the person had typed before the page came back."""
    return typed.get(f"answer-{number}", "") if typed else ""
