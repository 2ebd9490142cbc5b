"""A decision action."""

from hitl.actions.approve import Approve
from hitl.actions.registry import register


@register
class Thank(Approve):
    key = "thank"
    label = "Approve with thanks"
    summary = "go on with exactly what was shown, and say thanks"
    shortcut = "t"
    order = 9
