"""Rules that a well-formed workflow definition must also keep: its steps fit together."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from context.artifact_types import artifact_types
from context.types.user_input import USER_INPUT
from projects.enums import NO_WORKFLOW, Phase

if TYPE_CHECKING:
    from orchestrator.engine.definition import Definition

PHASES = list(Phase)

#: Path in the definition, and what is wrong there.
Problem = tuple[tuple[str | int, ...], str]


def broken_rules(definition: Definition) -> list[Problem]:
    """All problems. Rules that follow `needs` are checked only when these form a graph."""
    steps = definition.steps
    ids = [step.id for step in steps]
    if not steps and definition.name != NO_WORKFLOW:
        return [(("steps",), "names nothing; at least one is needed")]
    graph: list[Problem] = []
    for n, step in enumerate(steps):
        if step.id in ids[:n]:
            graph.append((("steps", n, "id"), f"another step has the id '{step.id}'"))
        for m, need in enumerate(step.needs):
            if need not in ids:
                graph.append((("steps", n, "needs", m), f"there is no step '{need}'"))
    if not graph:
        try:
            graphlib.TopologicalSorter({step.id: step.needs for step in steps}).prepare()
        except graphlib.CycleError as error:
            cycle = error.args[1]
            n = next(n for n, step in enumerate(steps) if step.id in cycle)
            # graphlib names the needed step first; people read "a needs b".
            detail = "a cycle: " + " needs ".join(reversed(cycle))
            graph.append((("steps", n, "needs"), detail))

    problems, latest = [*graph], 0
    for n, step in enumerate(steps):
        phase = PHASES.index(step.phase)
        if phase < latest:
            detail = f"'{step.phase}' comes before '{PHASES[latest]}', the phase of a step above"
            problems.append((("steps", n, "phase"), detail))
        latest = max(latest, phase)
        for m, artifact_type in enumerate(step.creates):
            if artifact_types[artifact_type].comes_from_people:
                detail = f"'{artifact_type}' comes from people only"
                problems.append((("steps", n, "creates", m), detail))
    return problems if graph else [*problems, *broken_references(definition)]


def broken_references(definition: Definition) -> Iterator[Problem]:
    """Artifacts that no step creates, needs in a later phase, rewinds that do not go back."""
    for n, step in enumerate(definition.steps):
        not_created = f"no step that '{step.id}' needs creates "
        for m, artifact_type in enumerate(step.requires):
            if artifact_type != USER_INPUT and not definition.sources(step.id, artifact_type):
                yield ("steps", n, "requires", m), f"{not_created}'{artifact_type}'"
        for need, m, item in step.context.in_order() if step.context else ():
            is_created = item.type in (None, USER_INPUT) or definition.sources(step.id, item.type)
            if not is_created:
                yield ("steps", n, "context", need, m, "type"), f"{not_created}'{item.type}'"
        for m, artifact_type in enumerate(step.revises):
            if not definition.revised(step.id, artifact_type):
                detail = f"neither '{step.id}' nor a step that depends on it creates "
                yield ("steps", n, "revises", m), f"{detail}'{artifact_type}'"
        for m, need in enumerate(step.needs):
            if PHASES.index(definition.step(need).phase) > PHASES.index(step.phase):
                yield ("steps", n, "needs", m), f"'{need}' is in a later phase"
        if step.on_fail and step.on_fail.rewind_to not in definition.ancestors(step.id):
            detail = f"'{step.on_fail.rewind_to}' is not a step that '{step.id}' needs"
            yield ("steps", n, "on_fail", "rewind_to"), detail
