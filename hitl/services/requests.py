import json
from collections.abc import Iterable

from agents.enums import RequestKind
from agents.models import Task
from core import sql
from hitl.digests import digest_of
from hitl.enums import RequestStatus
from hitl.facts import facts_for_request
from hitl.models import HitlRequest
from hitl.policy import roles_for
from hitl.separation_of_duties import amender_of, barred_authors
from hitl.services.deadlines import deadlines_by
from hitl.services.records import close_request, note_created
from hitl.subject import subject_of
from projects.transaction import ProjectTransaction

QUESTION = {
    RequestKind.PLAN_APPROVAL: "Approve the plan: {name}",
    RequestKind.RESULT_APPROVAL: "Approve the result: {name}",
    RequestKind.CLARIFICATION: "Answer the {agent}: {name}",
    RequestKind.ESCALATION: "The {agent} cannot go on: {name}",
}


def open_request(tx: ProjectTransaction, task: Task) -> HitlRequest:
    """Ask a person about a waiting task, by the project's policy as it is now."""
    facts = facts_for_request(task)
    policy, previous = facts.policy, facts.previous
    subject = subject_of(task, facts.newest)
    outputs = subject["outputs"]
    name = (outputs[0]["title"] if outputs else "") or task.title or task.agent_type
    kind = RequestKind(task.waits_for)
    barred = barred_authors(facts, subject)
    # Whoever amended it has approved it as one of several, and is not counted twice.
    amender = amender_of(task, subject, previous)
    required = max(policy.required_approvals, policy.floor.approvals(kind))
    request = HitlRequest(
        project=tx.project,
        task=task,
        kind=kind,
        title=QUESTION[kind].format(name=name, agent=task.agent_type)[:300],
        step=task.step,
        phase=task.phase,
        agent_type=task.agent_type,
        subject=subject,
        subject_digest=digest_of(subject),
        previous=previous,
        required_approvals=required,
        approvals=0 if amender is None else min(1, required - 1),
        barred_authors=barred if amender is None else sorted({*barred, amender}),
        deciding_roles=roles_for(policy, task.waits_for, task.phase),
        prevents_self_approval=policy.prevent_self_approval,
        needs_reauthentication=kind in policy.reauthenticate,
        **deadlines_by(policy),
    )
    (request.created_at,) = sql.fetch_one(
        "open_request",
        id=request.pk,
        project=request.project_id,
        task=request.task_id,
        kind=str(kind),
        title=request.title,
        step=request.step,
        phase=str(request.phase),
        agent_type=str(request.agent_type),
        subject=json.dumps(subject),
        subject_digest=request.subject_digest,
        previous=request.previous_id,
        required_approvals=request.required_approvals,
        deciding_roles=request.deciding_roles,
        barred_authors=request.barred_authors,
        prevents_self_approval=request.prevents_self_approval,
        needs_reauthentication=request.needs_reauthentication,
        on_timeout=str(request.on_timeout),
        remind_at=request.remind_at,
        due_at=request.due_at,
        expires_at=request.expires_at,
        approvals=request.approvals,
    )
    sql.mark_saved(request)
    note_created(tx, request)
    return request


def supersede_request(tx: ProjectTransaction, request: HitlRequest) -> None:
    """Close it, because what it shows is no longer what would go on."""
    close_request(tx, request, RequestStatus.SUPERSEDED)


def cancel_requests(tx: ProjectTransaction, tasks: Iterable[Task]) -> None:
    """Close the pending requests of tasks that have stopped."""
    for request in HitlRequest.objects.pending().filter(task__in=list(tasks)):
        close_request(tx, request, RequestStatus.CANCELLED)
