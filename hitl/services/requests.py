from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from agents.models import Task
from context.models import ArtifactVersion
from hitl.enums import OnTimeout, RequestKind, RequestStatus
from hitl.events import REQUEST_CREATED
from hitl.models import HitlRequest, Policy
from hitl.policy import TIMES, policy_of, roles_for
from hitl.separation_of_duties import barred_authors
from hitl.services.locks import database_time
from hitl.services.records import close_request
from hitl.subject import digest_of, subject_of
from projects.transaction import ProjectTransaction

QUESTION = {
    RequestKind.PLAN_APPROVAL: "Approve the plan: {name}",
    RequestKind.RESULT_APPROVAL: "Approve the result: {name}",
    RequestKind.CLARIFICATION: "Answer the {agent}: {name}",
    RequestKind.ESCALATION: "The {agent} cannot go on: {name}",
}


def open_request(tx: ProjectTransaction, task: Task) -> HitlRequest:
    """Ask a person about a waiting task."""
    subject = subject_of(task)
    outputs = subject["outputs"]
    name = (outputs[0]["title"] if outputs else "") or task.title or task.agent_type
    kind, previous = RequestKind(task.waits_for), _previous(task)
    request = HitlRequest.objects.create(
        project_id=task.project_id,
        task=task,
        kind=kind,
        title=QUESTION[kind].format(name=name, agent=task.agent_type)[:300],
        step=task.step,
        phase=task.phase,
        agent_type=task.agent_type,
        subject=subject,
        subject_digest=digest_of(subject),
        previous=previous,
        **_rules(task, subject, previous),
    )
    tx.record(
        REQUEST_CREATED,
        request=request,
        kind=request.kind,
        title=request.title,
        step=task.step,
        subject_digest=request.subject_digest,
        previous=str(previous.pk) if previous else None,
        required_approvals=request.required_approvals,
        due_at=request.due_at.isoformat() if request.due_at else None,
        expires_at=request.expires_at.isoformat() if request.expires_at else None,
    )
    return request


def _previous(task: Task) -> HitlRequest | None:
    """What was last asked about the same step, or about the same task outside of a workflow."""
    asked = HitlRequest.objects.filter(project=task.project_id)
    asked = asked.filter(step=task.step) if task.step else asked.filter(task=task)
    return asked.order_by("-created_at", "-id").first()


def _rules(task: Task, subject: dict[str, Any], previous: HitlRequest | None) -> dict[str, Any]:
    """How the request is to be decided, by the policy as it is now."""
    policy = policy_of(task.project_id)
    barred = barred_authors(task, subject, policy)
    amender = _amender(task, subject, previous)
    return {
        "required_approvals": policy.required_approvals,
        # Who amended stands behind it as one of several, and is not counted twice.
        "approvals": 0 if amender is None else 1,
        "barred_authors": barred if amender is None else sorted({*barred, amender}),
        "deciding_roles": roles_for(policy, task.waits_for, task.phase),
        **_deadlines(policy),
    }


def _amender(task: Task, subject: dict[str, Any], previous: HitlRequest | None) -> int | None:
    """Who wrote what is shown as their decision on the request before, with more to approve it."""
    if previous is None or previous.status != RequestStatus.AMENDED:
        return None
    if previous.task_id != task.pk or not subject["outputs"]:
        return None
    said = previous.decisions.filter(action="amend").values_list("decided_by", flat=True)
    shown = subject["outputs"][0]
    version = ArtifactVersion.objects.get(artifact=shown["artifact"], number=shown["version"])
    return version.author_id if version.author_id in set(said) else None


def _deadlines(policy: Policy) -> dict[str, Any]:
    """Where nothing is to end, its end is when it is due."""
    after = {name.split("_")[0]: getattr(policy, name) for name in TIMES}
    if not any(after.values()):
        return {"on_timeout": policy.on_timeout}
    if policy.on_timeout == OnTimeout.HOLD:
        after |= {"due": after["due"] or after["expire"], "expire": None}
    now = database_time()
    at = {name: now + timedelta(seconds=s) if s else None for name, s in after.items()}
    return {
        "on_timeout": policy.on_timeout,
        "remind_at": at["remind"],
        "due_at": at["due"],
        "expires_at": at["expire"],
    }


def supersede_request(tx: ProjectTransaction, request: HitlRequest) -> None:
    """What it shows is no longer what would go on."""
    close_request(tx, request, RequestStatus.SUPERSEDED)


def cancel_requests(tx: ProjectTransaction, tasks: Iterable[Task]) -> None:
    """Their tasks stopped without an answer."""
    for request in HitlRequest.objects.pending().filter(task__in=list(tasks)):
        close_request(tx, request, RequestStatus.CANCELLED)
