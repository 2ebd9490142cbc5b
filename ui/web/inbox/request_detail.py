"""All that a person needs to decide on one request, gathered for its page."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from context.artifact_types import artifact_types
from context.models import Artifact, ArtifactVersion
from context.reading import json_tree, read_content, read_markdown
from context.side_by_side import ComparedFile, compare_contents
from hitl.enums import Action, RequestKind
from hitl.models import HitlRequest
from hitl.rules import allowed_actions, can_decide
from hitl.selectors import asked_before, last_decided
from hitl.subject import amended_type
from projects.models import Project
from ui.web.inbox.queries import blocked_by, heads_of, progress_of
from ui.web.inbox.request_status import standing_of

WHY = {
    RequestKind.PLAN_APPROVAL: "The {agent} has a plan. The work follows it only after your yes.",
    RequestKind.RESULT_APPROVAL: "The {agent} is done. The result goes on only after your yes.",
    RequestKind.CLARIFICATION: "The {agent} cannot go on without an answer.",
    RequestKind.ESCALATION: "The {agent} cannot go on by itself.",
}
# Parts of the handoff that have a place of their own on the page.
ON_THE_PAGE = {"materials", "instructions", "feedback", "answers", "workflow"}


@dataclass(frozen=True)
class Part:
    """One artifact version that is shown, and its difference from what was last decided."""

    artifact: Artifact
    version: ArtifactVersion
    html: SafeString
    tree: SafeString
    against: ArtifactVersion | None = None
    compared: list[ComparedFile] = field(default_factory=list)


def everything_about(request: HitlRequest, user: Any) -> dict[str, Any]:
    """The context of the request's page."""
    task, subject = request.task, request.subject
    blocked = blocked_by([request])[request.pk]
    verdict = can_decide(request, user)
    return standing_of(request, user, verdict) | {
        "item": request,
        "task": task,
        "project": request.project,
        "subject": subject,
        "why": WHY[RequestKind(request.kind)].format(agent=request.agent_type),
        "parts": [_part(output, request) for output in subject["outputs"]],
        "blocks": blocked,
        "progress": progress_of(request.project),
        "consequences": consequences(request, blocked),
        "verdict": verdict,
        "allowed": allowed_actions(request),
        "earlier": _earlier(request),
        "decisions": list(request.decisions.select_related("decided_by")),
        "newer": request.next.order_by("created_at").last(),
        "head": heads_of(Project.objects.filter(pk=request.project_id))[str(request.project_id)],
        "instructions": read_markdown(task.instructions),
        "notes": read_markdown(task.result.get("notes", "") or ""),
        "handoff": json_tree({k: v for k, v in task.handoff.items() if k not in ON_THE_PAGE}),
    }


def _part(output: dict[str, Any], request: HitlRequest) -> Part:
    """Exactly the version that the digest is about, though a newer one may be there."""
    artifact = Artifact.objects.get(pk=output["artifact"])
    version = artifact.versions.select_related("author").get(number=output["version"])
    against = last_decided(request, version)
    compared = (
        compare_contents(artifact.artifact_type, against.content, version.content)
        if against
        else []
    )
    html = read_content(artifact.artifact_type, version.content)
    return Part(artifact, version, html, json_tree(version.content), against, compared)


def _earlier(request: HitlRequest) -> list[HitlRequest]:
    """What was asked and decided before about the same step."""
    return list(asked_before(request).prefetch_related("decisions__decided_by")[:20])


def consequences(request: HitlRequest, blocked: list[str]) -> dict[str, str]:
    """What happens on each choice, in words."""
    follows = f"Then: {blocked[0]}." if blocked else "Nothing else waits for it."
    if request.kind == RequestKind.ESCALATION and not request.subject["outputs"]:
        amended = f"Your text takes the place of what the agent could not make. {follows}"
    else:
        amended = f"Your text becomes the next version, and the work goes on with it. {follows}"
    return {
        Action.APPROVE: f"The work goes on with exactly this. {follows}",
        Action.AMEND: amended,
        Action.REQUEST_CHANGES: "The agent does it again with your comment; you are asked again.",
        Action.ANSWER: "The agent goes on with your answer.",
        Action.REJECT: "The project stops as failed, for the reason that you give.",
    }


def schema_of(request: HitlRequest) -> dict[str, Any]:
    """For the editor: which fields there are, and what each means."""
    return artifact_types[amended_type(request)].schema.model_json_schema()
