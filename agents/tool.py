"""The tools of agents: what a model may call while it works. Each registers itself by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.models import Task
from agents.protocols import Assignment, ToolSpec
from agents.workspace import Workspace
from core.registry import Registry

RESULT_CHARACTERS = 20_000


class ToolError(Exception):
    """The call cannot be done; the text tells the model why, and what to do instead."""


class Arguments(BaseModel):
    """Of one tool: what is not in it is refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Bench:
    """What a tool works on."""

    task: Task
    assignment: Assignment
    workspace: Workspace


class Tool(Protocol):
    """One tool. `description` and the descriptions of the arguments are for the model."""

    name: str
    description: str
    arguments: type[Arguments]
    #: Reads or changes files of the workspace.
    uses_workspace: bool

    def run(self, bench: Bench, arguments: Any) -> str:
        """What the model is told. Raises ToolError."""


tools: Registry[Tool] = Registry("tool", place="tools")


def tool_choices() -> list[tuple[str, str]]:
    return tools.choices


def tool(name: str, *, order: int = 100) -> Callable[[type], type]:
    """Register a class as a tool of this name."""

    def register(tool_class: type) -> type:
        tool_class.name = name
        tools.register(name, tool_class(), order=order)
        return tool_class

    return register


def spec_of(name: str) -> ToolSpec:
    """As a model is told of it. Raises KeyError."""
    item = tools[name]
    return ToolSpec(name, item.description, _schema(item.arguments))


@cache
def _schema(arguments: type[Arguments]) -> dict[str, Any]:
    return arguments.model_json_schema()


def use_tool(name: str, arguments: dict[str, Any], bench: Bench) -> str:
    """What the model is told. Raises ToolError, also for arguments that do not fit."""
    checked = checked_arguments(name, arguments)
    return cut(tools[name].run(bench, checked))


def checked_arguments(name: str, arguments: dict[str, Any]) -> Arguments:
    """Raises ToolError where there is no such tool, or they do not fit it."""
    item = tools.get(name)
    if item is None:
        raise ToolError(f"There is no tool {name!r}.")
    try:
        return item.arguments.model_validate(arguments)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}"
            for fault in error.errors(include_url=False)[:10]
        ]
        raise ToolError(f"The arguments do not fit. {'; '.join(faults)}") from error


def cut(text: str, limit: int = RESULT_CHARACTERS) -> str:
    """Its beginning and its end, where it is longer than a model is told at once."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{text[-half:]}"
