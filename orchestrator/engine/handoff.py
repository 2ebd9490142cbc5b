"""The structured handoff to a step: what, from whom, what is expected, and how.

It is stored with the task.
"""

from collections.abc import Collection, Iterator
from typing import Any

from agents.models import Task
from agents.services.tasks import (
    digest_key,
    material_reference,
    pinned_digest,
    with_digests,
)
from context.models import Artifact
from context.types.user_input import USER_INPUT
from orchestrator.engine.briefs import pinned_brief, version_for
from orchestrator.engine.definition import ContextItem, Definition, Step
from orchestrator.models import WorkflowRun


def build_handoff(
    run: WorkflowRun,
    definition: Definition,
    step: Step,
    tasks: dict[str, Task],
    previous: Task | None,
) -> dict[str, Any]:
    """Only accepted versions are handed over; `previous` is the step's task of the round before."""
    # What people answered to earlier steps, and to the previous round. A person who rewinds by
    # hand wants the questions to be put again: those answers do not come back.
    answered = [tasks[step_id] for step_id in definition.ancestors(step.id) if step_id in tasks]
    if previous is not None and previous.dropped_by != "person":
        answered.append(previous)
    answers: list[dict[str, Any]] = []
    for task in answered:
        answers += [answer for answer in task.answers if answer not in answers]
    digests: dict[str, str] = {}
    again = previous is not None
    handoff = {
        "workflow_name": run.workflow,
        "definition_hash": run.definition_hash,
        "step": step.id,
        "agent_type": step.agent,
        "instructions": step.instructions,
        "expected_outputs": list(step.creates),
        "materials": list(materials(run, definition, step, digests, is_again=again)),
        "feedback": run.feedback.get(step.id, []),
        "answers": answers,
    }
    if brief := pinned_brief(run):
        handoff["brief"] = brief
        if run.brief_sha256:
            digests[digest_key(run.brief_artifact, run.brief_version)] = run.brief_sha256
    if step.context is not None:
        handoff["context"] = list(context_sources(run, definition, step, digests))
    if step.agent == "orchestrator":
        handoff["workflow"] = outline(definition)
    # What a task has delivered, and people have approved, counts before what a row says.
    for task in tasks.values():
        for output in task.result.get("outputs", []):
            key = digest_key(output["artifact"], output["version"])
            if key in digests:
                digests[key] = output["sha256"]
    return handoff | {"sha256": digests}


def materials(
    run: WorkflowRun,
    definition: Definition,
    step: Step,
    digests: dict[str, str],
    *,
    is_again: bool,
) -> Iterator[dict[str, Any]]:
    """References to what the step requires; when it runs again, also to what it revises.

    Each version's SHA-256 is added to `digests`, so that nothing else can be given in its place.
    """
    revised_types = step.revises if is_again else ()
    if not step.requires and not revised_types:
        return
    artifacts = _artifacts(run, {*step.requires, *revised_types})
    # People's input comes first.
    for artifact_type in sorted(step.requires, key=lambda name: name != USER_INPUT):
        for artifact in _accepted(definition, step, artifact_type, artifacts):
            digests.update([pinned_digest(artifact, version_for(run, artifact))])
            yield material_reference(artifact, version_for(run, artifact))
    by_source = _by_source(artifacts)
    for artifact_type in revised_types:
        for source in definition.revised(step.id, artifact_type):
            artifact = by_source.get((source, artifact_type))
            if artifact is not None and artifact.version:
                digests.update([pinned_digest(artifact, artifact.version)])
                yield material_reference(artifact, artifact.version) | {"revises": True}


def context_sources(
    run: WorkflowRun, definition: Definition, step: Step, digests: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """The step's `context`, with the versions to look in. The worker chooses what fits."""
    items = list(step.context.in_order())
    types = {name for _, _, item in items for name in _types(definition, step, item)}
    artifacts = _artifacts(run, types)
    for need, _, item in items:
        versions = [
            (artifact, version_for(run, artifact))
            for artifact_type in _types(definition, step, item)
            for artifact in _accepted(definition, step, artifact_type, artifacts)
        ]
        digests.update(pinned_digest(artifact, number) for artifact, number in versions)
        sources = [[str(artifact.pk), number] for artifact, number in versions]
        parts = item.model_dump(include={"section", "concept", "query", "limit"}, exclude_none=True)
        yield {"need": need, "label": item.label, "sources": sources, **parts}


def _types(definition: Definition, step: Step, item: ContextItem) -> list[str]:
    """A query without a type searches everything that earlier steps have created."""
    if item.type:
        return [item.type]
    earlier = [definition.step(step_id) for step_id in definition.ancestors(step.id)]
    return list(dict.fromkeys([USER_INPUT, *(name for other in earlier for name in other.creates)]))


def _artifacts(run: WorkflowRun, types: Collection[str]) -> list[Artifact]:
    artifacts = Artifact.objects.filter(project=run.project_id, artifact_type__in=types)
    return list(with_digests(artifacts).order_by("created_at", "id"))


def _by_source(artifacts: list[Artifact]) -> dict[tuple[str, str], Artifact]:
    return {(artifact.step, artifact.artifact_type): artifact for artifact in artifacts}


def _accepted(
    definition: Definition, step: Step, artifact_type: str, artifacts: list[Artifact]
) -> list[Artifact]:
    """The accepted artifacts of a type from earlier steps; of people's input, all of it."""
    if artifact_type == USER_INPUT:
        candidates = [artifact for artifact in artifacts if artifact.artifact_type == USER_INPUT]
    else:
        by_source, steps = _by_source(artifacts), definition.sources(step.id, artifact_type)
        keys = [(step_id, artifact_type) for step_id in steps]
        candidates = [by_source[key] for key in keys if key in by_source]
    return [artifact for artifact in candidates if artifact.accepted_version]


def outline(definition: Definition) -> dict[str, Any]:
    """The workflow as the orchestrator agent sees it."""
    fields = ("id", "title", "phase", "agent", "creates", "needs", "gate", "on_fail")
    steps = [{name: step[name] for name in fields} for step in definition.to_json()["steps"]]
    return {"name": definition.name, "title": definition.title, "steps": steps}
