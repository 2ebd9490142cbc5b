"""Hooks of higher apps in a project's transaction. Each registers in its `AppConfig.ready`.

A hook gets the transaction first, and may raise a DomainError, which refuses the whole change.
"""

from collections.abc import Callable
from typing import Any

_hooks: dict[str, list[Callable[..., Any]]] = {
    #: (workflow): a project is to have this workflow. Raises InvalidInput for an unknown one.
    "workflow_chosen": [],
    #: (project, models by agent): models of its own. Raises InvalidInput for one it may not use.
    "agent_models_chosen": [],
    #: (tx, level): a project that was started is to have this oversight. False: not yet.
    "oversight_changed": [],
    #: (name): a type of agents is to be deleted. Raises Conflict where something names it.
    "agent_type_deleted": [],
    #: (tx, user): an owner is removed, or is none any more.
    "owner_removed": [],
    #: (tx): the project is new.
    "created": [],
    #: (tx): the project's status changed, or an emergency stop of it began or ended.
    "status_changed": [],
    #: (tx): the project has completed, failed or been cancelled; open work ends with it.
    "ended": [],
    #: (tx, tasks): these tasks were cancelled by a person.
    "tasks_cancelled": [],
    #: (tx): advance the project; returns the number of actions. Runs in a savepoint.
    "advance": [],
    #: (tx, error): advancing failed; its savepoint is rolled back, the rest of the change stands.
    "advance_failed": [],
    #: (tx, agent_types): tasks of these agents changed. Runs once, after the advance, and
    #: before events are appended.
    "agents_changed": [],
    #: (task): the names of the tools that the project asks people about before a call.
    "tools_that_ask": [],
    #: (tx, task, uses): an agent's tools were called, each a row; those that people allowed have
    #: their `action`.
    "tools_used": [],
    #: (error): a ContentChanged, outside of any transaction of the project.
    "content_changed": [],
}


def register(name: str, hook: Callable[..., Any]) -> None:
    """Idempotent."""
    if hook not in _hooks[name]:
        _hooks[name].append(hook)


def run(name: str, *arguments: Any) -> list[Any]:
    return [hook(*arguments) for hook in _hooks[name]]
