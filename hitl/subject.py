"""What a request is about: exactly what is shown, and exactly what will go on."""

from typing import Any

from agents.models import Task
from context.services import check_content
from core import sql
from hitl.agent_actions.schemas import checked_arguments
from hitl.models import HitlRequest

# The newest version of artifacts, by their ids: its number as `version`, its `sha256` and `title`.
Newest = dict[str, dict[str, Any]]


def subject_of(task: Task, newest: Newest | None = None) -> dict[str, Any]:
    """What a decision on the task would let go on now.

    A new version of one of its artifacts changes it; so does another attempt. `newest`: of what the
    task made, where the caller has read it.
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
        "outputs": current_outputs(task, newest),
        "questions": task.result.get("questions", []),
        "reason": task.result.get("reason", ""),
        "error": task.result.get("error", {}),
    }


def current_outputs(task: Task, newest: Newest | None = None) -> list[dict[str, Any]]:
    """The newest version of each artifact that the task made."""
    references = task.result.get("outputs", [])
    if newest is None and references:
        (newest,) = sql.fetch_one("newest_outputs_of_task", task=task.pk)
    return [
        # The reference as it was recorded, unless there is a newer version.
        reference
        if newest[reference["artifact"]]["version"] == reference["version"]
        else reference | newest[reference["artifact"]]
        for reference in references
    ]


def check_amendment(request: HitlRequest, content: Any) -> Any:
    """What an amendment would store. Raises InvalidInput, Unprocessable."""
    if request.agent_action is not None:
        return checked_arguments(request.agent_action, content)
    return check_content(amended_type(request), content).content


def amended_type(request: HitlRequest) -> str:
    """The artifact type that an amendment replaces: of the first output, else the expected one."""
    if outputs := request.subject["outputs"]:
        return outputs[0]["artifact_type"]
    return request.task.handoff["expected_outputs"][0]
