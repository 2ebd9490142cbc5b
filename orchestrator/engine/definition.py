"""What a workflow is: steps, what each needs and creates, where a person or a loop comes in."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
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

from agents.enums import RequestKind
from context.artifact_types import artifact_types
from core.errors import InvalidInput
from core.registry import Registry
from orchestrator.engine.definition_rules import broken_rules
from orchestrator.engine.marked_yaml import MarkedYamlError, read_marked
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


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


def _at_least_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Not min_length, which also counts an item with an error of its own as none."""
    if not values:
        raise ValueError("names nothing; at least one is needed")
    return values


def _one_of(registry: Registry) -> AfterValidator:
    def check(name: str) -> str:
        if name not in registry:
            known = ", ".join(registry.values)
            raise ValueError(f"there is no {registry.kind} '{name}'; there is: {known}")
        return name

    return AfterValidator(check)


AgentType = Annotated[str, _one_of(agent_types)]
ArtifactType = Annotated[str, _one_of(artifact_types)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Names = Annotated[tuple[Name, ...], AfterValidator(_each_once)]
Types = Annotated[tuple[ArtifactType, ...], AfterValidator(_each_once)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OnFail(Frozen):
    """Where a verdict 'fail' leads, and how often before a person is asked."""

    rewind_to: Name
    max_rounds: Annotated[int, Field(strict=True, ge=1, le=10)]


Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Want(Frozen):
    """Something of the store: documents of a type, or parts of them; or parts found by words."""

    type: ArtifactType | None = None
    section: Pattern | None = None
    concept: Pattern | None = None
    query: Pattern | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=50)] = 5

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Want":
        if not (self.type or self.query):
            raise ValueError("needs a type or a query")
        if sum(part is not None for part in (self.section, self.concept, self.query)) > 1:
            raise ValueError("has one of section, concept and query at most")
        return self

    @property
    def label(self) -> str:
        """As people read it: `software_specification concept FR-*`."""
        parts = ("section", "concept", "query")
        said = next((f"{part} {getattr(self, part)}" for part in parts if getattr(self, part)), "")
        return " ".join(filter(None, (self.type, said)))


class Wants(Frozen):
    """What the agent is given beside `requires`, by how much it needs it."""

    must: Annotated[tuple[Want, ...], Field(max_length=50)] = ()
    should: Annotated[tuple[Want, ...], Field(max_length=50)] = ()
    may: Annotated[tuple[Want, ...], Field(max_length=50)] = ()

    def in_order(self) -> Iterator[tuple[str, int, Want]]:
        for need in ("must", "should", "may"):
            for number, want in enumerate(getattr(self, need)):
                yield need, number, want


class Step(Frozen):
    """One piece of agent work.

    `needs` decides when it starts, `requires` which artifacts of those before it are handed over,
    `revises` which artifacts of the dropped round come along when it runs again, `context` what
    else of the store the agent gets to see if it fits.
    """

    id: Name
    title: Title
    phase: Phase
    agent: AgentType
    creates: Annotated[Types, AfterValidator(_at_least_one)]
    needs: Names = ()
    requires: Types = ()
    revises: Types = ()
    context: Wants | None = None
    instructions: Text
    gate: Literal["", "plan", "result"] = ""
    on_fail: OnFail | None = None


class Definition(Frozen):
    """A workflow. Valid by its rules when it comes from `parse_definition`."""

    name: Name
    version: Annotated[int, Field(strict=True, ge=1)]
    title: Title
    steps: Annotated[tuple[Step, ...], Field(max_length=MAX_STEPS), AfterValidator(_at_least_one)]

    @functools.cached_property
    def order(self) -> tuple[str, ...]:
        """Step ids: as written, except that nothing comes before what it needs."""
        left, order = list(self.steps), []
        while left:
            ready = next(step for step in left if set(step.needs) <= set(order))
            left.remove(ready)
            order.append(ready.id)
        return tuple(order)

    def step(self, step_id: str) -> Step:
        """Raises KeyError for an unknown id."""
        return self._by_id[step_id]

    def ancestors(self, step_id: str) -> tuple[str, ...]:
        """All steps that must be done before this one starts."""
        return tuple(one for one in self.order if step_id in self._after[one] - {one})

    def dependents(self, step_id: str) -> tuple[str, ...]:
        """The step and all that depends on it: what a rewind to it drops."""
        after = self._after[step_id]
        return tuple(one for one in self.order if one in after)

    def sources(self, step_id: str, artifact_type: str) -> tuple[str, ...]:
        """The steps whose artifacts of a required type are handed to this step."""
        return self._creators(self.ancestors(step_id), artifact_type)

    def revised(self, step_id: str, artifact_type: str) -> tuple[str, ...]:
        """The steps whose artifacts of a revised type come along when this step runs again."""
        return self._creators(self.dependents(step_id), artifact_type)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data with every field, to pin to a run.

        Without a `context` that is not there: older code refuses fields that it does not know.
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
        return tuple(one for one in step_ids if artifact_type in self._by_id[one].creates)

    @functools.cached_property
    def _by_id(self) -> dict[str, Step]:
        return {step.id: step for step in self.steps}

    @functools.cached_property
    def _after(self) -> dict[str, set[str]]:
        after: dict[str, set[str]] = {one: {one} for one in self.order}
        for one in reversed(self.order):
            for need in self._by_id[one].needs:
                after[need] |= after[one]
        return after


class DefinitionError(Exception):
    """A definition is not valid. `errors` are `{line, path, detail}`, in the order of the text."""

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


class UnknownDefinitionError(LookupError):
    """No workflow has this name."""


def available_definitions() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in WORKFLOWS.glob("*.yaml")))


def check_workflow(name: str) -> None:
    """Raises InvalidInput for a workflow that there is not."""
    if name not in available_definitions():
        detail = f"There is no such workflow. Use one of: {', '.join(available_definitions())}."
        raise InvalidInput.of("workflow", "does_not_exist", detail)


@functools.cache
def load_definition(name: str) -> Definition:
    """Raises UnknownDefinitionError for a name without a file, DefinitionError for a bad file."""
    if name not in available_definitions():
        known = ", ".join(available_definitions())
        raise UnknownDefinitionError(f"There is no workflow '{name}'. There is: {known}.")
    path = WORKFLOWS / f"{name}.yaml"
    definition = parse_definition(path.read_text(encoding="utf-8"), str(path))
    if definition.name != name:
        raise DefinitionError(str(path), [(1, ("name",), f"must be '{name}', as the file is")])
    return definition


def parse_definition(text: str, source: str) -> Definition:
    """Raises DefinitionError with all that is wrong in form or, when the form is right, by rule."""
    try:
        data, lines = read_marked(text)
    except MarkedYamlError as error:
        raise DefinitionError(source, error.problems) from error
    definition = _shape(data, source, lines)
    problems = [(_line(lines, path), path, detail) for path, detail in broken_rules(definition)]
    if problems:
        raise DefinitionError(source, problems)
    return definition


def definition_hash(definition: Definition) -> str:
    """SHA-256 in hex of the canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(definition.to_json())).hexdigest()


def gate_for(step: Step, oversight_level: str) -> str:
    """What a person must approve first, or nothing. Raises KeyError for an unknown level."""
    return GATES[oversight_level].get(step.gate, "")


def dotted(path: Iterable[str | int]) -> str:
    """`steps[2].needs[0]`"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".")


def _shape(data: Any, source: str, lines: dict[tuple[str | int, ...], int]) -> Definition:
    try:
        return Definition.model_validate(data)
    except ValidationError as error:
        problems = [(_line(lines, e["loc"]), e["loc"], _detail(e)) for e in error.errors()]
        raise DefinitionError(source, problems) from error


def _line(lines: dict[tuple[str | int, ...], int], path: tuple[str | int, ...]) -> int:
    """Where the path is written, or the nearest thing around it that is."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


PLAIN_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "extra_forbidden": lambda error: "unknown field",
    "missing": lambda error: "is missing",
    "value_error": lambda error: str(error["ctx"]["error"]),
    "tuple_type": lambda error: "must be a list",
    "model_type": lambda error: "must be a mapping of fields",
}


def _detail(error: Any) -> str:
    words = PLAIN_WORDS.get(error["type"])
    return words(error) if words else error["msg"]
