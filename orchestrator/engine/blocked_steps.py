"""What cannot go on before a person has decided."""

from collections.abc import Sequence
from uuid import UUID

from hitl.models import HitlRequest
from orchestrator.engine.definition import Definition
from orchestrator.engine.state import definition_of
from orchestrator.models import WorkflowRun


def blocked_steps(requests: Sequence[HitlRequest]) -> dict[UUID, list[str]]:
    """By request, the titles of the steps that wait for it, in order. Two queries, however many."""
    projects = {request.project_id for request in requests}
    runs = dict(
        WorkflowRun.objects.filter(project__in=projects).values_list("project", "definition_hash")
    )
    definitions = _definitions(set(runs.values()))
    found = {}
    for request in requests:
        definition = definitions.get(runs.get(request.project_id))
        found[request.pk] = _after(definition, request.step) if definition else []
    return found


def _definitions(hashes: set[str]) -> dict[str, Definition]:
    """Runs of the same definition share it."""
    sharing = WorkflowRun.objects.filter(definition_hash__in=hashes).order_by("definition_hash")
    one_of_each = sharing.distinct("definition_hash")
    return {run.definition_hash: definition_of(run) for run in one_of_each}


def _after(definition: Definition, step: str) -> list[str]:
    if step not in definition.order:
        return []
    waiting = definition.dependents(step)
    return [definition.step(one).title for one in waiting if one != step]
