"""The actions that there are, in the order in which they are offered."""

import importlib
import pkgutil
from functools import cache

from core.errors import InvalidInput
from hitl.actions.base import Action

_actions: dict[str, Action] = {}


def register(action_class: type[Action]) -> type[Action]:
    """Class decorator: from now on people can be offered this action."""
    _actions[action_class.key] = action_class()
    return action_class


def registered_actions() -> list[Action]:
    _load()
    return sorted(_actions.values(), key=lambda action: action.order)


def get_action(key: str) -> Action:
    """Raises InvalidInput, which names the field `action`, where there is none."""
    _load()
    if key not in _actions:
        known = ", ".join(action.key for action in registered_actions())
        raise InvalidInput.of("action", "invalid_choice", f"Use one of {known}.")
    return _actions[key]


def action_choices() -> list[tuple[str, str]]:
    return [(action.key, action.label) for action in registered_actions()]


@cache
def _load() -> None:
    """Import every module beside this one; each registers its action."""
    import hitl.actions as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
