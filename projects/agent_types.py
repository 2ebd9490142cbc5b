"""The types of agents. Each is a role of `agents`, which registers it here, where models see it."""

from typing import Any

from core.registry import Registry

agent_types: Registry[Any] = Registry("agent type", place="roles")


def agent_type_choices() -> list[tuple[str, str]]:
    return agent_types.choices
