"""The actions that there are, in the order in which they are offered."""

from core.errors import InvalidInput
from core.registry import Registry
from hitl.actions.base import Action

actions: Registry[Action] = Registry("decision action", place="actions")


def register(action_class: type[Action]) -> type[Action]:
    """Class decorator: from now on people can be offered this action."""
    action = action_class()
    actions.register(action.key, action, label=action.label, order=action.order)
    return action_class


def registered_actions() -> list[Action]:
    return list(actions)


def get_action(key: str) -> Action:
    """Raises InvalidInput, which names the field `action`, where there is none."""
    if key not in actions:
        detail = f"Use one of {', '.join(actions.values)}."
        raise InvalidInput.of("action", "invalid_choice", detail)
    return actions[key]


def action_choices() -> list[tuple[str, str]]:
    return actions.choices
