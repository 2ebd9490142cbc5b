"""The structured handoff to a step: what, from whom, what is expected, and how.

It is stored with the task.
"""

from collections.abc import Iterator
from typing import Any

from agents.models import Task
from agents.services.creating import material_reference
from context.models import Artifact
from context.words import ArtifactType
from orchestrator.engine.definition import Definition, Step
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
    if step.agent == "orchestrator":
        handoff["workflow"] = outline(definition)
    return handoff


def _materials(
    run: WorkflowRun, definition: Definition, step: Step, *, is_again: bool
) -> Iterator[dict[str, Any]]:
    wanted = {*step.requires, *(step.revises if is_again else ())}
    if not wanted:
        return
    artifacts = list(
        Artifact.objects.filter(project=run.project_id, artifact_type__in=wanted).order_by(
            "created_at", "id"
        )
    )
    made = {(artifact.step, artifact.artifact_type): artifact for artifact in artifacts}
    if ArtifactType.USER_INPUT in step.requires:
        for artifact in artifacts:
            if artifact.artifact_type == ArtifactType.USER_INPUT and artifact.accepted_version:
                yield material_reference(artifact, artifact.accepted_version)
    for artifact_type in step.requires:
        for source in definition.sources(step.id, artifact_type):
            artifact = made.get((source, artifact_type))
            if artifact is not None and artifact.accepted_version:
                yield material_reference(artifact, artifact.accepted_version)
    if is_again:
        yield from _revised(definition, step, made)


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
