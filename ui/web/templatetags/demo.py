from typing import Any

from django import template

from agents.providers import demo_hint

register = template.Library()


@register.inclusion_tag("ui/demo_hint.html", name="demo_hint")
def show_demo_hint() -> dict[str, Any]:
    """One sentence on how to connect a model, where the demo model serves."""
    return {"hint": demo_hint()}
