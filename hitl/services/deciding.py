from typing import Any
from uuid import UUID

from django.db import transaction

from agents.models import Task
from agents.services import (
    accept_result,
    reject_result,
    requeue_with_answer,
    return_for_changes,
)
from api.errors import Conflict, Forbidden, Gone, InvalidInput, NotFound, Unprocessable
from audit.actors import Actor
from audit.services import Draft, record_all
from audit.words import EventType
from context.models import Artifact, ArtifactVersion
from context.services import (
    accept_version,
    create_artifact,
    reject_version,
    version_draft,
    write_version,
)
from hitl.models import Decision, HitlRequest
from hitl.rules import can_decide, check_action
from hitl.signals import request_decided
from hitl.subject import digest_of, subject_of
from hitl.words import Action, RequestStatus
from projects.services import lock_project

COMMENT_MAX_LENGTH = 10_000


@transaction.atomic
def decide(
    *,
    request_id: UUID,
    actor: Actor,
    action: str,
    subject_digest: str,
    comment: str = "",
    content: Any = None,
    channel: str,
) -> Decision:
    """Record a person's decision, settle the request and its task, and let the work go on.

    `subject_digest` is that of what the person was shown. Raises NotFound, Forbidden (why not this
    person), Conflict (`already_decided`, `subject_changed`, `request_closed`), Gone (`expired`),
    Unprocessable (`comment_required`, `content_required`, `action_not_allowed`), InvalidInput.
    """
    request, task = _lock(request_id, actor)
    _check_person(request, actor)
    _check_pending(request)
    action = _known(action)
    comment = _clean(comment)
    check_action(request, action, comment, content)
    _check_shown(request, task, subject_digest)
    decision, drafts = _EFFECTS[action](request, task, actor, comment, content, channel)
    record_all(request.project_id, drafts)
    request_decided.send(HitlRequest, request=request, decision=decision)
    return decision


def _lock(request_id: UUID, actor: Actor) -> tuple[HitlRequest, Task]:
    seen = HitlRequest.objects.visible_to(actor.user).filter(pk=request_id).first()
    if seen is None:
        raise NotFound("not_found", "There is no such request, or you may not see it.")
    lock_project(seen.project_id)
    task = Task.objects.select_for_update(no_key=True).get(pk=seen.task_id)
    request = HitlRequest.objects.select_for_update(no_key=True).get(pk=request_id)
    return request, task


def _check_person(request: HitlRequest, actor: Actor) -> None:
    verdict = can_decide(request, actor.user)
    if not verdict.allowed and verdict.code != "already_decided":
        raise Forbidden(verdict.code, verdict.detail)


def _check_pending(request: HitlRequest) -> None:
    if request.is_pending:
        return
    if request.status == RequestStatus.EXPIRED:
        raise Gone("expired", "The time for this decision has passed.")
    standing = request.decisions.last()
    if standing is None:
        newer = request.next.order_by("created_at").last()
        raise Conflict(
            "request_closed" if newer is None else "subject_changed",
            f"The request is {request.status}; nothing more can be decided on it."
            + (" A newer request took its place." if newer else ""),
            request_status=request.status,
            **({"newer_request": str(newer.pk)} if newer else {}),
        )
    raise Conflict(
        "already_decided",
        f"{standing.decided_by.get_username()} has decided already: {standing.action}.",
        decision=summary(standing),
        request_status=request.status,
    )


def summary(decision: Decision) -> dict[str, Any]:
    """A decision in its short public form."""
    return {
        "id": str(decision.pk),
        "action": decision.action,
        "decided_by": decision.decided_by_id,
        "decided_by_username": decision.decided_by.get_username(),
        "comment": decision.comment,
        "created_at": decision.created_at.isoformat(),
    }


def _known(action: str) -> Action:
    if action not in Action.values:
        detail = f"Use one of {', '.join(Action.values)}."
        raise InvalidInput.of("action", "invalid_choice", detail)
    return Action(action)


def _clean(comment: str) -> str:
    if len(comment) > COMMENT_MAX_LENGTH:
        detail = f"Shorten the comment to at most {COMMENT_MAX_LENGTH:,} characters."
        raise InvalidInput.of("comment", "max_length", detail)
    if "\0" in comment:
        raise InvalidInput.of("comment", "binary", "The comment holds null characters.")
    return comment.strip()


def _check_shown(request: HitlRequest, task: Task, subject_digest: str) -> None:
    """Only what was shown may be decided on, and only if it is what would go on now."""
    current = digest_of(subject_of(task))
    if subject_digest == request.subject_digest == current:
        return
    raise Conflict(
        "subject_changed",
        "What you were shown is not what would go on now. Read the request again, then decide.",
        subject_digest=request.subject_digest,
    )


def _decision(
    request: HitlRequest, actor: Actor, action: Action, comment: str, content: Any, channel: str
) -> tuple[Decision, list[Draft]]:
    """The immutable record, and the request settled by it."""
    decision = Decision.objects.create(
        request=request,
        action=action,
        decided_by=actor.user,
        comment=comment,
        content=content,
        subject_digest=request.subject_digest,
        channel=channel,
    )
    request.resolve(action)
    request.save(update_fields=["status", "resolved_at"])
    ids = {"task": request.task_id, "hitl_request": request.pk}
    said = {
        "decision": str(decision.pk),
        "action": str(action),
        "comment": comment,
        "subject_digest": request.subject_digest,
    }
    settled = {"status": str(request.status), "kind": request.kind, "step": request.step}
    return decision, [
        Draft(EventType.HITL_DECISION_RECORDED, actor, said, **ids),
        Draft(EventType.HITL_REQUEST_RESOLVED, actor, settled, **ids),
    ]


def _approve(request, task, actor, comment, content, channel) -> tuple[Decision, list[Draft]]:
    decision, drafts = _decision(request, actor, Action.APPROVE, comment, None, channel)
    outputs = request.subject["outputs"]
    _accept(outputs)
    return decision, [*drafts, *accept_result(task, outputs, actor)]


def _amend(request, task, actor, comment, content, channel) -> tuple[Decision, list[Draft]]:
    shown = request.subject["outputs"]
    artifact, version, written = _write(task, shown, actor, comment, content)
    decision, drafts = _decision(request, actor, Action.AMEND, comment, content, channel)
    own = {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
    }
    outputs = [own, *shown[1:]]
    _accept(outputs)
    return decision, [*written, *drafts, *accept_result(task, outputs, actor)]


def _write(task, shown, actor, comment, content) -> tuple[Artifact, ArtifactVersion, list[Draft]]:
    """The person's content as the next version of what was shown, or as the step's first one."""
    if shown:
        artifact = Artifact.objects.get(pk=shown[0]["artifact"])
    else:
        artifact_type = task.handoff["expected_outputs"][0]
        artifact = Artifact.objects.filter(
            project=task.project_id, step=task.step, artifact_type=artifact_type
        ).first()
        if artifact is None:
            artifact = Artifact.objects.create(
                project_id=task.project_id,
                artifact_type=artifact_type,
                title=task.title,
                step=task.step,
                source_agent=task.agent_type,
                task=task.pk,
            )
    version = write_version(artifact, actor=actor, content=content, comment=comment)
    return artifact, version, [version_draft(artifact, version, actor)]


def _accept(outputs: list[dict[str, Any]]) -> None:
    for output in outputs:
        artifact = Artifact.objects.get(pk=output["artifact"])
        accept_version(artifact, artifact.versions.get(number=output["version"]))


def _request_changes(request, task, actor, comment, content, channel):
    decision, drafts = _decision(request, actor, Action.REQUEST_CHANGES, comment, None, channel)
    _turn_down(request)
    return decision, [*drafts, *return_for_changes(task, comment, actor)]


def _reject(request, task, actor, comment, content, channel):
    decision, drafts = _decision(request, actor, Action.REJECT, comment, None, channel)
    _turn_down(request)
    return decision, [*drafts, *reject_result(task, comment, actor)]


def _turn_down(request: HitlRequest) -> None:
    for output in request.subject["outputs"]:
        reject_version(
            ArtifactVersion.objects.get(artifact=output["artifact"], number=output["version"])
        )


def _answer(request, task, actor, comment, content, channel) -> tuple[Decision, list[Draft]]:
    text = _as_text(content)
    decision, drafts = _decision(request, actor, Action.ANSWER, comment, content, channel)
    response = {
        "questions": task.result.get("questions", []),
        "answer": text,
        "answered_by": actor.name,
        "action": str(Action.ANSWER),
    }
    create_artifact(
        actor=actor,
        project_id=request.project_id,
        artifact_type="hitl_response",
        title=f"Answer: {task.title or task.agent_type}"[:300],
        content=response,
    )
    return decision, [*drafts, *requeue_with_answer(task, text, actor)]


def _as_text(content: Any) -> str:
    """An answer is text; a list or an object of texts, one for each question, is joined."""
    if isinstance(content, dict):
        content = [f"{key}: {value}" for key, value in content.items()]
    if isinstance(content, list):
        content = "\n".join(str(one) for one in content)
    if not isinstance(content, str) or not content.strip() or "\0" in content:
        raise Unprocessable("content_required", "Send the answer as text in `content`.")
    return content.strip()


_EFFECTS = {
    Action.APPROVE: _approve,
    Action.AMEND: _amend,
    Action.REQUEST_CHANGES: _request_changes,
    Action.REJECT: _reject,
    Action.ANSWER: _answer,
}
