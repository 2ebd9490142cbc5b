"""What follows from each action, in the transaction of the decision."""

from typing import Any

from agents.models import Task
from agents.services import (
    accept_result,
    reject_result,
    requeue_with_answer,
    return_for_changes,
)
from audit.actors import Actor
from audit.services import Draft
from context.enums import ArtifactType
from context.models import Artifact, ArtifactVersion
from context.services import (
    accept_version,
    reject_version,
    store_input,
    version_draft,
    write_version,
)
from core.errors import Unprocessable
from core.text import is_storable
from hitl.enums import Action
from hitl.models import Decision, HitlRequest
from hitl.services.record import Word, record_and_settle, record_word

Effect = tuple[Decision, list[Draft]]


def carry_out(request: HitlRequest, task: Task, word: Word) -> Effect:
    """The decision, and the events to record. Everything is locked, and allowed."""
    return _EFFECTS[word.action](request, task, word)


def _approve(request: HitlRequest, task: Task, word: Word) -> Effect:
    request.approvals += 1
    if request.approvals < request.required_approvals and not word.is_break_glass:
        return _one_of_several(request, word)
    decision, drafts = record_and_settle(request, word)
    outputs = request.subject["outputs"]
    _accept(outputs)
    return decision, [*drafts, *accept_result(task, outputs, word.actor)]


def _one_of_several(request: HitlRequest, word: Word) -> Effect:
    """Counted; nothing goes on yet, and the next person's turn is not held up by a claim."""
    request.claimed_by = request.claimed_until = None
    request.save(update_fields=["approvals", "claimed_by", "claimed_until"])
    return record_word(request, word)


def _amend(request: HitlRequest, task: Task, word: Word) -> Effect:
    shown = request.subject["outputs"]
    decision, drafts = record_and_settle(request, word)
    artifact, version, written = _write(task, shown, word, decision)
    outputs = [_reference(artifact, version), *shown[1:]]
    if request.required_approvals > 1 and not word.is_break_glass:
        # Several are to stand behind what goes on: the engine asks the others about it.
        task.result = task.result | {"outputs": outputs}
        task.save(update_fields=["result"])
        return decision, [*written, *drafts]
    _accept(outputs)
    return decision, [*written, *drafts, *accept_result(task, outputs, word.actor)]


def _reference(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
    }


def _write(
    task: Task, shown: list[dict[str, Any]], word: Word, decision: Decision
) -> tuple[Artifact, ArtifactVersion, list[Draft]]:
    """The person's content as the next version of what was shown, or as the step's first one."""
    artifact = Artifact.objects.get(pk=shown[0]["artifact"]) if shown else _awaited_artifact(task)
    version = write_version(
        artifact,
        actor=word.actor,
        content=word.content,
        base_version=shown[0]["version"] if shown else None,
        comment=word.comment,
        decision=decision.pk,
    )
    return artifact, version, [version_draft(artifact, version, word.actor)]


def _awaited_artifact(task: Task) -> Artifact:
    """What the step should have made."""
    artifact_type = task.handoff["expected_outputs"][0]
    artifact, _ = Artifact.objects.get_or_create(
        project_id=task.project_id,
        step=task.step,
        artifact_type=artifact_type,
        defaults={"title": task.title, "source_agent": task.agent_type, "task": task.pk},
    )
    return artifact


def _accept(outputs: list[dict[str, Any]]) -> None:
    for output in outputs:
        artifact = Artifact.objects.get(pk=output["artifact"])
        accept_version(artifact, artifact.versions.get(number=output["version"]))


def _request_changes(request: HitlRequest, task: Task, word: Word) -> Effect:
    decision, drafts = record_and_settle(request, word)
    _turn_down(request)
    return decision, [*drafts, *return_for_changes(task, word.comment, word.actor)]


def _reject(request: HitlRequest, task: Task, word: Word) -> Effect:
    decision, drafts = record_and_settle(request, word)
    _turn_down(request)
    return decision, [*drafts, *reject_result(task, word.comment, word.actor)]


def _turn_down(request: HitlRequest) -> None:
    for output in request.subject["outputs"]:
        reject_version(
            ArtifactVersion.objects.get(artifact=output["artifact"], number=output["version"])
        )


def _answer(request: HitlRequest, task: Task, word: Word) -> Effect:
    text = _as_text(word.content)
    decision, drafts = record_and_settle(request, word)
    response = _store_answer(request, task, text, word.actor)
    return decision, [response, *drafts, *requeue_with_answer(task, text, word.actor)]


def _store_answer(request: HitlRequest, task: Task, text: str, actor: Actor) -> Draft:
    _, draft = store_input(
        project=request.project,
        author=actor,
        artifact_type=ArtifactType.HITL_RESPONSE,
        title=f"Answer: {task.title or task.agent_type}"[:300],
        content={
            "questions": task.result.get("questions", []),
            "answer": text,
            "answered_by": actor.name,
            "action": str(Action.ANSWER),
        },
    )
    return draft


def _as_text(content: Any) -> str:
    """An answer is text; a list or an object of texts, one for each question, is joined."""
    if isinstance(content, dict):
        content = [f"{key}: {value}" for key, value in content.items()]
    if isinstance(content, list):
        content = "\n".join(str(one) for one in content)
    if not isinstance(content, str) or not content.strip() or not is_storable(content):
        raise Unprocessable("content_required", "Send the answer as text in `content`.")
    return content.strip()


_EFFECTS = {
    Action.APPROVE: _approve,
    Action.AMEND: _amend,
    Action.REQUEST_CHANGES: _request_changes,
    Action.REJECT: _reject,
    Action.ANSWER: _answer,
}
