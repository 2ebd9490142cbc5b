"""Who wrote what a request is about. Where the policy says so, they may not decide on it.

Looked up once, when the request is opened: whatever changes it also changes the subject.
"""

from typing import Any

from agents.models import Task
from context.models import ArtifactVersion
from hitl.enums import RequestStatus
from hitl.facts import RequestFacts, facts_for_request
from hitl.models import HitlRequest


def barred_authors(facts: RequestFacts, subject: dict[str, Any]) -> list[int]:
    """Users who may not decide on it. Where nothing is shown, nothing can be approved.

    Any version counts, for an agent that revises a person's version, as it must, would make it
    somebody else's; so does the same content elsewhere in the project, and what people handed in
    after the start, where this step was given it. The brief itself bars nobody: whoever gives an
    order may judge whether it was carried out.
    """
    if not facts.policy.prevent_self_approval or not subject["outputs"]:
        return []
    return facts.authors


def forbids_self_approval(request: HitlRequest) -> bool:
    """By the rules that the request was opened with."""
    if request.prevents_self_approval is not None:
        return request.prevents_self_approval
    return facts_for_request(request.task).policy.prevent_self_approval


def amender_of(task: Task, subject: dict[str, Any], previous: HitlRequest | None) -> int | None:
    """Who wrote what is shown as their decision on the request before, with more to approve it."""
    if previous is None or previous.status != RequestStatus.AMENDED:
        return None
    if previous.task_id != task.pk or not subject["outputs"]:
        return None
    amendments = previous.decisions.filter(action="amend")
    output = subject["outputs"][0]
    version = ArtifactVersion.objects.get(artifact=output["artifact"], number=output["version"])
    return version.author_id if amendments.filter(decided_by=version.author_id).exists() else None


def needs_another_person(request: HitlRequest) -> bool:
    """Whether what a person writes takes the word of somebody else before it goes on."""
    return request.required_approvals > 1 or forbids_self_approval(request)
