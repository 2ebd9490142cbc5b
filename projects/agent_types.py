"""The types of agents. The roles in `agents` register here, where models can use them."""

from typing import Any

from core.registry import Registry

agent_types: Registry[Any] = Registry("agent type", place="roles")


def agent_type_choices() -> list[tuple[str, str]]:
    return agent_types.choices
