from collections.abc import Iterable

from agents.enums import RequestKind
from agents.models import Task
from hitl.enums import RequestStatus
from hitl.events import REQUEST_CREATED
from hitl.models import HitlRequest
from hitl.policy import policy_of, roles_for
from hitl.separation_of_duties import amender_of, barred_authors
from hitl.services.deadlines import deadlines_by
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
    """Ask a person about a waiting task, by the project's policy as it is now."""
    subject = subject_of(task)
    outputs = subject["outputs"]
    name = (outputs[0]["title"] if outputs else "") or task.title or task.agent_type
    kind = RequestKind(task.waits_for)
    # The last request about the same step, or about the same task outside of a workflow.
    requests = HitlRequest.objects.filter(project=task.project_id)
    about = {"step": task.step} if task.step else {"task": task}
    previous = requests.filter(**about).order_by("-created_at", "-id").first()
    policy = policy_of(task.project_id)
    barred = barred_authors(task, subject, policy)
    # Whoever amended it has approved it as one of several, and is not counted twice.
    amender = amender_of(task, subject, previous)
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
        required_approvals=policy.required_approvals,
        approvals=0 if amender is None else 1,
        barred_authors=barred if amender is None else sorted({*barred, amender}),
        deciding_roles=roles_for(policy, task.waits_for, task.phase),
        **deadlines_by(policy),
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


def supersede_request(tx: ProjectTransaction, request: HitlRequest) -> None:
    """Close it, because what it shows is no longer what would go on."""
    close_request(tx, request, RequestStatus.SUPERSEDED)


def cancel_requests(tx: ProjectTransaction, tasks: Iterable[Task]) -> None:
    """Close the pending requests of tasks that have stopped."""
    for request in HitlRequest.objects.pending().filter(task__in=list(tasks)):
        close_request(tx, request, RequestStatus.CANCELLED)
