"""What makes a well-formed definition a sound one. Each rule yields (path, detail)."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from context.artifact_types import artifact_types
from projects.enums import Phase

if TYPE_CHECKING:
    from orchestrator.engine.definition import Definition

PHASES = list(Phase)

Broken = tuple[tuple[str | int, ...], str]


def broken_rules(definition: Definition) -> list[Broken]:
    """All that is broken. Rules that follow the needs are asked only when these make a graph."""
    graph = [*_ids_are_unique(definition), *_needs_are_known(definition)]
    graph = graph or [*_needs_make_no_cycle(definition)]
    broken = [*graph, *_phases_are_in_order(definition), *_people_create_alone(definition)]
    if not graph:
        broken += [*_required_is_created(definition), *_revised_is_created(definition)]
        broken += _wanted_is_created(definition)
        broken += [*_needed_is_not_later(definition), *_rewinds_go_back(definition)]
    return broken


def _ids_are_unique(definition: Definition) -> Iterator[Broken]:
    ids = [step.id for step in definition.steps]
    for n, step_id in enumerate(ids):
        if step_id in ids[:n]:
            yield ("steps", n, "id"), f"another step has the id '{step_id}'"


def _needs_are_known(definition: Definition) -> Iterator[Broken]:
    ids = {step.id for step in definition.steps}
    for n, step in enumerate(definition.steps):
        for m, need in enumerate(step.needs):
            if need not in ids:
                yield ("steps", n, "needs", m), f"there is no step '{need}'"


def _needs_make_no_cycle(definition: Definition) -> Iterator[Broken]:
    try:
        graphlib.TopologicalSorter({step.id: step.needs for step in definition.steps}).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1]
        n = next(n for n, step in enumerate(definition.steps) if step.id in cycle)
        # graphlib names the needed first; people read "a needs b".
        yield ("steps", n, "needs"), "a cycle: " + " needs ".join(reversed(cycle))


def _phases_are_in_order(definition: Definition) -> Iterator[Broken]:
    latest = 0
    for n, step in enumerate(definition.steps):
        phase = PHASES.index(step.phase)
        if phase < latest:
            detail = f"'{step.phase}' comes before '{PHASES[latest]}', the phase of a step above"
            yield ("steps", n, "phase"), detail
        latest = max(latest, phase)


def _needed_is_not_later(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        for m, need in enumerate(step.needs):
            if PHASES.index(definition.step(need).phase) > PHASES.index(step.phase):
                yield ("steps", n, "needs", m), f"'{need}' is in a later phase"


def _people_create_alone(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        for m, artifact_type in enumerate(step.creates):
            if artifact_types[artifact_type].comes_from_people:
                yield ("steps", n, "creates", m), f"'{artifact_type}' comes from people only"


def _required_is_created(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        for m, wanted in enumerate(step.requires):
            if wanted != "user_input" and not definition.sources(step.id, wanted):
                yield (
                    ("steps", n, "requires", m),
                    f"no step that '{step.id}' needs creates '{wanted}'",
                )


def _wanted_is_created(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        for need, m, want in step.context.in_order() if step.context else ():
            is_there = want.type in (None, "user_input") or definition.sources(step.id, want.type)
            if not is_there:
                yield (
                    ("steps", n, "context", need, m, "type"),
                    f"no step that '{step.id}' needs creates '{want.type}'",
                )


def _revised_is_created(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        for m, wanted in enumerate(step.revises):
            if not definition.revised(step.id, wanted):
                detail = f"neither '{step.id}' nor a step that depends on it creates '{wanted}'"
                yield ("steps", n, "revises", m), detail


def _rewinds_go_back(definition: Definition) -> Iterator[Broken]:
    for n, step in enumerate(definition.steps):
        if step.on_fail and step.on_fail.rewind_to not in definition.ancestors(step.id):
            detail = f"'{step.on_fail.rewind_to}' is not a step that '{step.id}' needs"
            yield ("steps", n, "on_fail", "rewind_to"), detail
