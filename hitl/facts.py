"""What has to be known to ask people about a task: one look at the database."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from agents.models import Task
from context.selectors import sha256_of_brief
from core import sql
from hitl.models import HitlRequest, Policy
from hitl.policy import default_policy, with_floor
from projects.floor import floor_of


@dataclass(frozen=True)
class RequestFacts:
    #: The last request about the same step, or about the same task outside of a workflow.
    previous: HitlRequest | None
    #: The project's own, or that of the settings, no less strict than the installation's floor.
    policy: Policy
    #: The newest version of each artifact that the task made: see `subject_of`.
    newest: dict[str, dict[str, Any]]
    #: Ids of the users who wrote of what the task made, or was given.
    authors: list[int]


def facts_for_request(task: Task) -> RequestFacts:
    previous, policy, floor, newest, authors = sql.fetch_one(
        "facts_for_request",
        task=task.pk,
        brief_sha256=sha256_of_brief(task.project.brief),
        answers_count=settings.HITL_POLICY["answers_count_as_content"],
    )
    policy = with_floor(policy or default_policy(task.project_id), floor_of(floor))
    return RequestFacts(previous, policy, newest or {}, authors or [])
