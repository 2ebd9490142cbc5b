"""Definition of a workflow: its steps, what each needs and creates, where people and loops act."""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from agents.enums import RequestKind
from context.artifact_types import artifact_types
from core.errors import InvalidInput
from core.registry import Registry
from orchestrator.engine.definition_rules import broken_rules
from orchestrator.engine.marked_yaml import MarkedYamlError, read_marked
from orchestrator.models import Workflow
from projects.agent_types import agent_types
from projects.enums import OversightLevel, Phase

MAX_STEPS = 100
WORKFLOWS = Path(__file__).parent / "workflows"

# What a person approves at a gate, by the oversight level of the project.
GATES: dict[str, dict[str, RequestKind]] = {
    OversightLevel.HIGH: {
        "plan": RequestKind.PLAN_APPROVAL,
        "result": RequestKind.RESULT_APPROVAL,
    },
    OversightLevel.MEDIUM: {"result": RequestKind.RESULT_APPROVAL},
    OversightLevel.LOW: {},
}


def _without_duplicates(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Not `min_length`, which does not count an item that has an error of its own."""
    if not values:
        raise ValueError("names nothing; at least one is needed")
    return values


def _registered(registry: Registry) -> AfterValidator:
    def check(name: str) -> str:
        if name not in registry:
            names = ", ".join(registry.values)
            raise ValueError(f"there is no {registry.kind} '{name}'; use one of: {names}")
        return name

    return AfterValidator(check)


AgentType = Annotated[str, _registered(agent_types)]
ArtifactType = Annotated[str, _registered(artifact_types)]
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Names = Annotated[tuple[Name, ...], AfterValidator(_without_duplicates)]
Types = Annotated[tuple[ArtifactType, ...], AfterValidator(_without_duplicates)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OnFail(Frozen):
    """Where a verdict 'fail' leads, and how often before a person is asked."""

    rewind_to: Name
    max_rounds: Annotated[int, Field(strict=True, ge=1, le=10)]


Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ContextItem(Frozen):
    """What to look up for a step: documents of a type, parts of them, or what a query finds."""

    type: ArtifactType | None = None
    section: Pattern | None = None
    concept: Pattern | None = None
    query: Pattern | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=50)] = 5

    @model_validator(mode="after")
    def _check_fields(self) -> "ContextItem":
        if not (self.type or self.query):
            raise ValueError("needs a type or a query")
        if sum(part is not None for part in (self.section, self.concept, self.query)) > 1:
            raise ValueError("can have only one of section, concept and query")
        return self

    @property
    def label(self) -> str:
        """As people read it: `software_specification concept FR-*`."""
        names = ("section", "concept", "query")
        part = next((f"{name} {getattr(self, name)}" for name in names if getattr(self, name)), "")
        return " ".join(filter(None, (self.type, part)))


class StepContext(Frozen):
    """What the agent gets beside `requires`, by how much it needs it."""

    must: Annotated[tuple[ContextItem, ...], Field(max_length=50)] = ()
    should: Annotated[tuple[ContextItem, ...], Field(max_length=50)] = ()
    may: Annotated[tuple[ContextItem, ...], Field(max_length=50)] = ()

    def in_order(self) -> Iterator[tuple[str, int, ContextItem]]:
        for need in ("must", "should", "may"):
            for number, item in enumerate(getattr(self, need)):
                yield need, number, item


class Step(Frozen):
    """One piece of agent work.

    `needs` decides when it starts, `requires` which artifacts of earlier steps it gets, `revises`
    which artifacts of the round before it also gets when it runs again, and `context` what else
    the agent sees if there is room.
    """

    id: Name
    title: Title
    phase: Phase
    agent: AgentType
    creates: Annotated[Types, AfterValidator(_not_empty)]
    needs: Names = ()
    requires: Types = ()
    revises: Types = ()
    context: StepContext | None = None
    instructions: Text
    gate: Literal["", "plan", "result"] = ""
    on_fail: OnFail | None = None


class Definition(Frozen):
    """A workflow. Valid by its rules when it comes from `parse_definition`."""

    name: Name
    version: Annotated[int, Field(strict=True, ge=1)]
    title: Title
    #: None in the workflow `none`, a home for the actions of agents that run elsewhere.
    steps: Annotated[tuple[Step, ...], Field(max_length=MAX_STEPS)]

    @functools.cached_property
    def order(self) -> tuple[str, ...]:
        """Step ids: as written, except that nothing comes before what it needs."""
        remaining, order = list(self.steps), []
        while remaining:
            ready = next(step for step in remaining if set(step.needs) <= set(order))
            remaining.remove(ready)
            order.append(ready.id)
        return tuple(order)

    def step(self, step_id: str) -> Step:
        """Raises KeyError for an unknown id."""
        return self._by_id[step_id]

    def ancestors(self, step_id: str) -> tuple[str, ...]:
        """All steps that must be done before this one starts."""
        return tuple(other for other in self.order if step_id in self._after[other] - {other})

    def dependents(self, step_id: str) -> tuple[str, ...]:
        """The step and every step that depends on it: what a rewind to it drops."""
        after = self._after[step_id]
        return tuple(other for other in self.order if other in after)

    def sources(self, step_id: str, artifact_type: str) -> tuple[str, ...]:
        """The earlier steps that create artifacts of a type which this step requires."""
        return self._creators(self.ancestors(step_id), artifact_type)

    def revised(self, step_id: str, artifact_type: str) -> tuple[str, ...]:
        """The steps whose artifacts of a type this step revises when it runs again."""
        return self._creators(self.dependents(step_id), artifact_type)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data with every field, to pin to a run.

        An empty `context` is left out: older code refuses fields that it does not know.
        """
        data = self.model_dump(mode="json")
        for step in data["steps"]:
            if step["context"] is None:
                del step["context"]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Definition":
        """A pinned definition. It was valid when it was pinned: only its shape is checked again."""
        return cls.model_validate(data)

    def _creators(self, step_ids: Iterable[str], artifact_type: str) -> tuple[str, ...]:
        return tuple(
            step_id for step_id in step_ids if artifact_type in self._by_id[step_id].creates
        )

    @functools.cached_property
    def _by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @functools.cached_property
    def _after(self) -> dict[str, set[str]]:
        after: dict[str, set[str]] = {step_id: {step_id} for step_id in self.order}
        for step_id in reversed(self.order):
            for need in self._by_id[step_id].needs:
                after[need] |= after[step_id]
        return after


class DefinitionError(Exception):
    """An invalid definition. `errors` are `{line, path, detail}`, in the order of the text."""

    def __init__(
        self, source: str, errors: Iterable[tuple[int, tuple[str | int, ...], str]]
    ) -> None:
        self.source = source
        self.errors = [
            {"line": line, "path": dotted(path), "detail": detail}
            for line, path, detail in sorted(errors, key=lambda error: error[0])
        ]
        super().__init__(
            "\n".join(f"{source}:{e['line']}: {e['path']}: {e['detail']}" for e in self.errors)
        )

    @property
    def faults(self) -> str:
        """Without lines, for what is no file."""
        return "; ".join(f"{one['path']}: {one['detail']}" for one in self.errors)


class UnknownDefinitionError(LookupError):
    """No workflow has this name."""


def shipped_definitions() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in WORKFLOWS.glob("*.yaml")))


def available_definitions() -> tuple[str, ...]:
    """Those that ship, and the installation's own."""
    return tuple(sorted({*shipped_definitions(), *Workflow.objects.values_list("name", flat=True)}))


def check_workflow(name: str) -> None:
    """Raises InvalidInput for an unknown workflow, and for one whose types are gone."""
    try:
        load_definition(name)
    except UnknownDefinitionError as error:
        detail = f"There is no such workflow. Use one of: {', '.join(available_definitions())}."
        raise InvalidInput.of("workflow", "does_not_exist", detail) from error
    except DefinitionError as error:
        detail = f"This workflow cannot be used: {error.faults}"
        raise InvalidInput.of("workflow", "invalid", detail[:2000]) from error


def load_definition(name: str) -> Definition:
    """Raises UnknownDefinitionError for a name that nothing has, DefinitionError for a bad one."""
    if name in shipped_definitions():
        return _shipped(name)
    row = Workflow.objects.filter(pk=name).first() if NAME.fullmatch(name) else None
    if row is None:
        names = ", ".join(available_definitions())
        raise UnknownDefinitionError(f"There is no workflow '{name}'. Use one of: {names}.")
    if hash_of(row.definition) != row.sha256:
        raise DefinitionError(name, [(0, ("steps",), "it is not the one that was saved")])
    return checked_definition(row.definition, name)


@functools.cache
def _shipped(name: str) -> Definition:
    path = WORKFLOWS / f"{name}.yaml"
    definition = parse_definition(path.read_text(encoding="utf-8"), str(path))
    if definition.name != name:
        raise DefinitionError(str(path), [(1, ("name",), f"must be '{name}', like the file")])
    return definition


# Pydantic's errors in plain words; its own message for every other type.
DETAILS: dict[str, Callable[[ErrorDetails], str]] = {
    "extra_forbidden": lambda error: "unknown field",
    "missing": lambda error: "is missing",
    "value_error": lambda error: str(error["ctx"]["error"]),
    "tuple_type": lambda error: "must be a list",
    "model_type": lambda error: "must be a mapping of fields",
}


def parse_definition(text: str, source: str) -> Definition:
    """Raises DefinitionError with everything wrong in its form, or else by the rules."""
    try:
        data, lines = read_marked(text)
    except MarkedYamlError as error:
        raise DefinitionError(source, error.problems) from error
    return checked_definition(data, source, lambda path: _line(lines, path))


def checked_definition(
    data: Any, source: str, line_of: Callable[[tuple[str | int, ...]], int] = lambda path: 0
) -> Definition:
    """Raises DefinitionError, as `parse_definition`."""
    try:
        definition = Definition.model_validate(data)
    except ValidationError as error:
        problems = [
            (line_of(e["loc"]), e["loc"], DETAILS.get(e["type"], itemgetter("msg"))(e))
            for e in error.errors()
        ]
        raise DefinitionError(source, problems) from error
    problems = [(line_of(path), path, detail) for path, detail in broken_rules(definition)]
    if problems:
        raise DefinitionError(source, problems)
    return definition


def definition_hash(definition: Definition) -> str:
    return hash_of(definition.to_json())


def hash_of(definition: Any) -> str:
    """SHA-256 in hex of the canonical JSON (RFC 8785) of a definition as it is pinned."""
    return hashlib.sha256(rfc8785.dumps(definition)).hexdigest()


def gate_for(step: Step, oversight_level: str) -> str:
    """The kind of approval the step waits for, or "". Raises KeyError for an unknown level."""
    return GATES[oversight_level].get(step.gate, "")


def dotted(path: Iterable[str | int]) -> str:
    """`steps[2].needs[0]`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".")


def _line(lines: dict[tuple[str | int, ...], int], path: tuple[str | int, ...]) -> int:
    """Where the path is written, or else what encloses it."""
    while path not in lines:
        path = path[:-1]
    return lines[path]
