"""What a request is about: exactly what is shown, and exactly what will go on."""

from typing import Any

from agents.models import Task
from audit.canonical import canonical, digest
from context.models import Artifact, ArtifactVersion
from hitl.models import HitlRequest

# Of an erased request: the same names, so that whoever reads a subject finds what they look for.
ERASED_SUBJECT: dict[str, Any] = {
    **dict.fromkeys(("task", "step", "waits_for", "workflow", "definition_hash"), ""),
    **{"round": 0, "attempt": 0, "verdict": "", "outputs": [], "questions": []},
    **{"reason": "", "error": {}},
}


def subject_of(task: Task) -> dict[str, Any]:
    """What a decision on the task would let go on now.

    A new version of one of its artifacts changes it; so does another attempt.
    """
    return {
        "task": str(task.pk),
        "step": task.step,
        "round": task.round,
        "attempt": task.attempt,
        "waits_for": task.waits_for,
        "workflow": task.handoff.get("workflow_name", ""),
        "definition_hash": task.handoff.get("definition_hash", ""),
        "verdict": task.result.get("verdict", ""),
        "outputs": current_outputs(task),
        "questions": task.result.get("questions", []),
        "reason": task.result.get("reason", ""),
        "error": task.result.get("error", {}),
    }


def current_outputs(task: Task) -> list[dict[str, Any]]:
    """The newest version of each artifact that the task made."""
    shown = task.result.get("outputs", [])
    artifacts = Artifact.objects.in_bulk([output["artifact"] for output in shown])
    found = {str(pk): artifact for pk, artifact in artifacts.items()}
    return [_as_it_is(output, found[output["artifact"]]) for output in shown]


def _as_it_is(output: dict[str, Any], artifact: Artifact) -> dict[str, Any]:
    if artifact.version == output["version"]:
        return output
    newest = ArtifactVersion.objects.get(artifact=artifact, number=artifact.version)
    return output | {"version": newest.number, "sha256": newest.sha256, "title": artifact.title}


def digest_of(subject: dict[str, Any]) -> str:
    return digest("countersign.hitl.subject.v1", canonical(subject))


def amended_type(request: HitlRequest) -> str:
    """The type of the content that an amendment replaces: what is shown first, else is awaited."""
    if outputs := request.subject["outputs"]:
        return outputs[0]["artifact_type"]
    return request.task.handoff["expected_outputs"][0]
