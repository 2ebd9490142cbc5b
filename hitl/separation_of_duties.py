"""Who wrote of what a request would let go on. Where the policy says so, they may not decide on it.

Looked up once, when the request is opened: whatever changes it also changes the subject.
"""

from typing import Any

from django.db.models import Q

from agents.models import Task
from context.briefs import sha256_of_brief
from context.models import ArtifactVersion
from context.types.user_input import USER_INPUT
from hitl.models import Decision, Policy
from projects.models import Project


def barred_authors(task: Task, subject: dict[str, Any], policy: Policy) -> list[int]:
    """Users who may not decide on it. Where nothing is shown, nothing can be approved."""
    if not policy.prevent_self_approval or not subject["outputs"]:
        return []
    found = _of_contents(task, subject) | _of_amended_briefs(task)
    if policy.answers_count_as_content:
        found |= _of_answers(task)
    return sorted(found)


def _of_contents(task: Task, subject: dict[str, Any]) -> set[int]:
    """Of any version of what is shown, or of the same content elsewhere in the project.

    The last version alone would not do: an agent that does a person's version again, as it must,
    would make it somebody else's.
    """
    shown = subject["outputs"]
    same = Q(artifact__project=task.project_id, sha256__in=[one["sha256"] for one in shown])
    history = Q(artifact__in=[one["artifact"] for one in shown])
    return _authors(ArtifactVersion.objects.filter(history | same))


def _of_amended_briefs(task: Task) -> set[int]:
    """Of what was handed in after the start, and handed over to this step.

    The brief itself bars nobody: whoever gives an order may judge whether it was carried out.
    """
    inputs = [
        one for one in task.handoff.get("materials", []) if one["artifact_type"] == USER_INPUT
    ]
    if not task.step:
        return set()
    # The brief is in every prompt, also where the step does not ask for it.
    inputs += [task.handoff["brief"]] if task.handoff.get("brief") else []
    handed = Q(pk=None)
    for one in inputs:
        handed |= Q(artifact=one["artifact"], number=one["version"])
    return _authors(ArtifactVersion.objects.filter(handed).exclude(_is_first_brief(task)))


def _is_first_brief(task: Task) -> Q:
    brief, started_at = Project.objects.values_list("brief", "started_at").get(pk=task.project_id)
    same = sha256_of_brief(brief)
    return Q(sha256=same) | Q(created_at__lt=started_at)


def _of_answers(task: Task) -> set[int]:
    given = Decision.objects.filter(request__project=task.project_id, action="answer")
    same = Q(request__step=task.step) if task.step else Q(request__task=task)
    return set(given.filter(same).values_list("decided_by", flat=True))


def _authors(versions: Any) -> set[int]:
    return set(versions.filter(author__isnull=False).values_list("author", flat=True))
