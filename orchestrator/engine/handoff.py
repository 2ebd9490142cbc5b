"""The structured handoff to a step: what, from whom, what is expected, and how.

It is stored with the task.
"""

from collections.abc import Collection, Iterator
from typing import Any

from agents.models import Task
from agents.services.tasks import material_reference
from context.models import Artifact
from context.types.user_input import USER_INPUT
from orchestrator.engine.briefs import pinned_brief, version_for
from orchestrator.engine.definition import Definition, Step, Want
from orchestrator.models import WorkflowRun


def build_handoff(
    run: WorkflowRun,
    definition: Definition,
    step: Step,
    tasks: dict[str, Task],
    before: Task | None,
) -> dict[str, Any]:
    """Only accepted versions go on; from the round before, its task, also what is to be revised."""
    handoff = {
        "workflow_name": run.workflow,
        "definition_hash": run.definition_hash,
        "step": step.id,
        "agent_type": step.agent,
        "instructions": step.instructions,
        "expected_outputs": list(step.creates),
        "materials": list(_materials(run, definition, step, is_again=before is not None)),
        "feedback": run.feedback.get(step.id, []),
        "answers": _answers(definition, step, tasks, before),
    }
    if brief := pinned_brief(run):
        handoff["brief"] = brief
    if step.context is not None:
        handoff["context"] = list(_wanted(run, definition, step))
    if step.agent == "orchestrator":
        handoff["workflow"] = outline(definition)
    return handoff


def _materials(
    run: WorkflowRun, definition: Definition, step: Step, *, is_again: bool
) -> Iterator[dict[str, Any]]:
    wanted = {*step.requires, *(step.revises if is_again else ())}
    if not wanted:
        return
    artifacts = _artifacts(run, wanted)
    for artifact_type in sorted(step.requires, key=lambda one: one != USER_INPUT):
        for artifact in _accepted(definition, step, artifact_type, artifacts):
            yield material_reference(artifact, version_for(run, artifact))
    if is_again:
        yield from _revised(definition, step, _made(artifacts))


def _artifacts(run: WorkflowRun, types: Collection[str]) -> list[Artifact]:
    found = Artifact.objects.filter(project=run.project_id, artifact_type__in=types)
    return list(found.order_by("created_at", "id"))


def _made(artifacts: list[Artifact]) -> dict[tuple[str, str], Artifact]:
    return {(artifact.step, artifact.artifact_type): artifact for artifact in artifacts}


def _accepted(
    definition: Definition, step: Step, artifact_type: str, artifacts: list[Artifact]
) -> list[Artifact]:
    """What steps before this one have made of a type; of the people's input, all of it."""
    if artifact_type == USER_INPUT:
        found = [one for one in artifacts if one.artifact_type == artifact_type]
    else:
        made, sources = _made(artifacts), definition.sources(step.id, artifact_type)
        found = [made[s, artifact_type] for s in sources if (s, artifact_type) in made]
    return [artifact for artifact in found if artifact.accepted_version]


def _wanted(run: WorkflowRun, definition: Definition, step: Step) -> Iterator[dict[str, Any]]:
    """What `context` asks for, and the versions that are meant. What fits is chosen at work."""
    wants = list(step.context.in_order())
    types = {one for _, _, want in wants for one in _types(definition, step, want)}
    artifacts = _artifacts(run, types)
    for need, _, want in wants:
        sources = [
            [str(one.pk), version_for(run, one)]
            for artifact_type in _types(definition, step, want)
            for one in _accepted(definition, step, artifact_type, artifacts)
        ]
        parts = want.model_dump(include={"section", "concept", "query", "limit"}, exclude_none=True)
        yield {"need": need, "label": want.label, "sources": sources, **parts}


def _types(definition: Definition, step: Step, want: Want) -> list[str]:
    """A query without a type looks into everything that steps before this one have made."""
    if want.type:
        return [want.type]
    before = (definition.step(one).creates for one in definition.ancestors(step.id))
    return list(dict.fromkeys(["user_input", *(t for created in before for t in created)]))


def _revised(
    definition: Definition, step: Step, made: dict[tuple[str, str], Artifact]
) -> Iterator[dict[str, Any]]:
    for artifact_type in step.revises:
        for source in definition.revised(step.id, artifact_type):
            artifact = made.get((source, artifact_type))
            if artifact is not None and artifact.version:
                yield material_reference(artifact, artifact.version) | {"revises": True}


def _answers(
    definition: Definition, step: Step, tasks: dict[str, Task], before: Task | None
) -> list[dict[str, Any]]:
    """What people answered to the steps before this one, and to this one's round before.

    Who rewinds by hand wants to be asked anew: those answers do not come back.
    """
    sources = [tasks[one] for one in definition.ancestors(step.id) if one in tasks]
    if before is not None and before.dropped_by != "person":
        sources.append(before)
    answers: list[dict[str, Any]] = []
    for task in sources:
        answers += [answer for answer in task.answers if answer not in answers]
    return answers


def outline(definition: Definition) -> dict[str, Any]:
    """The workflow as the orchestrator agent sees it."""
    fields = ("id", "title", "phase", "agent", "creates", "needs", "gate", "on_fail")
    steps = [{name: one[name] for name in fields} for one in definition.to_json()["steps"]]
    return {"name": definition.name, "title": definition.title, "steps": steps}
