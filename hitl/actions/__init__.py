"""What a person can do about a request: one module an action, found by being here.

A new action is a module with a subclass of `Action` and an instance under `register`.
"""

from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import action_choices, get_action, register, registered_actions

__all__ = [
    "Action",
    "DecisionInput",
    "action_choices",
    "get_action",
    "register",
    "registered_actions",
]
