"""Who wrote what a request is about. Where the policy says so, they may not decide on it.

Looked up once, when the request is opened: whatever changes it also changes the subject.
"""

from typing import Any

from django.db.models import Q, QuerySet

from agents.models import Task
from context.models import ArtifactVersion
from context.selectors import sha256_of_brief
from context.types.user_input import USER_INPUT
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest, Policy
from projects.models import Project


def barred_authors(task: Task, subject: dict[str, Any], policy: Policy) -> list[int]:
    """Users who may not decide on it. Where nothing is shown, nothing can be approved."""
    outputs = subject["outputs"]
    if not policy.prevent_self_approval or not outputs:
        return []
    # Any version counts, for an agent that revises a person's version, as it must, would make it
    # somebody else's; and so does the same content elsewhere in the project.
    history = Q(artifact__in=[output["artifact"] for output in outputs])
    digests = [output["sha256"] for output in outputs]
    same_content = Q(artifact__project=task.project_id, sha256__in=digests)
    authors = authors_of(ArtifactVersion.objects.filter(history | same_content))
    if task.step:
        # What people handed in after the start, where this step was given it. The brief itself
        # bars nobody: whoever gives an order may judge whether it was carried out.
        materials = task.handoff.get("materials", [])
        inputs = [item for item in materials if item["artifact_type"] == USER_INPUT]
        # The brief is in every prompt, also where the step does not ask for it.
        inputs += [task.handoff["brief"]] if task.handoff.get("brief") else []
        is_input = Q(pk=None)
        for item in inputs:
            is_input |= Q(artifact=item["artifact"], number=item["version"])
        project = Project.objects.only("brief", "started_at").get(pk=task.project_id)
        is_first_brief = Q(sha256=sha256_of_brief(project.brief))
        is_first_brief |= Q(created_at__lt=project.started_at)
        authors |= authors_of(ArtifactVersion.objects.filter(is_input).exclude(is_first_brief))
    if policy.answers_count_as_content:
        answers = Decision.objects.filter(request__project=task.project_id, action="answer")
        about = {"request__step": task.step} if task.step else {"request__task": task}
        authors |= set(answers.filter(**about).values_list("decided_by", flat=True))
    return sorted(authors)


def authors_of(versions: QuerySet[ArtifactVersion]) -> set[int]:
    return set(versions.filter(author__isnull=False).values_list("author", flat=True))


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
