from collections.abc import Iterable

from agents.models import Task
from audit.actors import Actor
from audit.services import Draft
from audit.words import EventType
from hitl.models import HitlRequest
from hitl.subject import digest_of, subject_of
from hitl.words import RequestKind, RequestStatus

QUESTION = {
    RequestKind.PLAN_APPROVAL: "Approve the plan: {name}",
    RequestKind.RESULT_APPROVAL: "Approve the result: {name}",
    RequestKind.CLARIFICATION: "Answer the {agent}: {name}",
    RequestKind.ESCALATION: "The {agent} cannot go on: {name}",
}


def open_request(*, task: Task, actor: Actor) -> tuple[HitlRequest, list[Draft]]:
    """Ask a person about a waiting task. The caller holds the locks and records the events."""
    subject = subject_of(task)
    outputs = subject["outputs"]
    name = (outputs[0]["title"] if outputs else "") or task.title or task.agent_type
    previous = _previous(task)
    request = HitlRequest.objects.create(
        project_id=task.project_id,
        task=task,
        kind=RequestKind(task.waits_for),
        title=QUESTION[RequestKind(task.waits_for)].format(name=name, agent=task.agent_type)[:300],
        step=task.step,
        phase=task.phase,
        agent_type=task.agent_type,
        subject=subject,
        subject_digest=digest_of(subject),
        previous=previous,
    )
    data = {
        "kind": request.kind,
        "title": request.title,
        "step": task.step,
        "subject_digest": request.subject_digest,
        "previous": str(previous.pk) if previous else None,
    }
    draft = Draft(
        EventType.HITL_REQUEST_CREATED, actor, data, task=task.pk, hitl_request=request.pk
    )
    return request, [draft]


def _previous(task: Task) -> HitlRequest | None:
    """What was last asked about the same step, or about the same task outside of a workflow."""
    asked = HitlRequest.objects.filter(project=task.project_id)
    asked = asked.filter(step=task.step) if task.step else asked.filter(task=task)
    return asked.order_by("-created_at", "-id").first()


def supersede_request(*, request: HitlRequest, actor: Actor) -> list[Draft]:
    """What it shows is no longer what would go on. The caller holds the locks."""
    return _close(request, RequestStatus.SUPERSEDED, actor)


def cancel_requests(*, tasks: Iterable[Task], actor: Actor) -> list[Draft]:
    """Their tasks stopped without an answer. The caller holds the project's lock."""
    pending = HitlRequest.objects.pending().filter(task__in=list(tasks))
    return [d for request in pending for d in _close(request, RequestStatus.CANCELLED, actor)]


def _close(request: HitlRequest, status: RequestStatus, actor: Actor) -> list[Draft]:
    request.close(status)
    request.save(update_fields=["status", "resolved_at"])
    is_superseded = status == RequestStatus.SUPERSEDED
    event_type = (
        EventType.HITL_REQUEST_SUPERSEDED if is_superseded else EventType.HITL_REQUEST_RESOLVED
    )
    data = {"status": str(status), "step": request.step}
    return [Draft(event_type, actor, data, task=request.task_id, hitl_request=request.pk)]
