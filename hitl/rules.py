"""Which actions a request allows, and who may take them. Asked before, and again under the lock."""

from dataclasses import asdict, dataclass
from typing import Any

from api.errors import Unprocessable
from context.models import ArtifactVersion
from hitl.models import HitlRequest
from hitl.words import Action, RequestKind
from projects.access import DECIDE, role_of

NEEDS_COMMENT = frozenset({Action.REJECT, Action.REQUEST_CHANGES})
NEEDS_CONTENT = frozenset({Action.AMEND, Action.ANSWER})


@dataclass(frozen=True)
class Verdict:
    """Whether a person may decide, and if not, why and what to do."""

    allowed: bool
    code: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def allowed_actions(request: HitlRequest) -> list[str]:
    if not request.is_pending:
        return []
    if request.kind == RequestKind.CLARIFICATION:
        return [Action.ANSWER, Action.REJECT]
    if request.kind != RequestKind.ESCALATION or request.subject["outputs"]:
        return [Action.APPROVE, Action.AMEND, Action.REQUEST_CHANGES, Action.REJECT]
    # A step that made nothing can be done by a person instead; work on its own cannot.
    by_hand = [Action.AMEND] if request.step else []
    return [Action.REQUEST_CHANGES, *by_hand, Action.REJECT]


def can_decide(request: HitlRequest, user: Any) -> Verdict:
    """Whether this person may decide on this request now."""
    role = role_of(user, request.project_id)
    if role is None:
        return Verdict(False, "not_a_member", "Only members of the project decide; ask an owner.")
    if role not in DECIDE:
        detail = f"Your role is {role}; deciding needs the role approver or owner."
        return Verdict(False, "role_too_low", detail)
    if not request.is_pending:
        return Verdict(False, "already_decided", f"The request is {request.status}.")
    if _wrote_it(request, user):
        detail = "You wrote a version that is to be decided; another approver must decide on it."
        return Verdict(False, "self_approval", detail)
    return Verdict(True)


def _wrote_it(request: HitlRequest, user: Any) -> bool:
    shown = request.subject["outputs"]
    return any(
        ArtifactVersion.objects.filter(
            artifact=output["artifact"], number=output["version"], author=user
        ).exists()
        for output in shown
    )


def check_action(request: HitlRequest, action: Action, comment: str, content: Any) -> None:
    """Raises Unprocessable for what the request does not allow or the action lacks."""
    allowed = allowed_actions(request)
    if action not in allowed:
        detail = f"{action} is not possible for a {request.kind}; possible: {', '.join(allowed)}."
        raise Unprocessable("action_not_allowed", detail, allowed_actions=allowed)
    if action in NEEDS_COMMENT and not comment.strip():
        raise Unprocessable(
            "comment_required",
            f"To {action.replace('_', ' ')}, say why: fill in `comment`.",
            errors=[{"field": "comment", "code": "required", "detail": "Say why."}],
        )
    if action in NEEDS_CONTENT and (content is None or content in ("", [], {})):
        what = "answer" if action == Action.ANSWER else "new content"
        raise Unprocessable(
            "content_required",
            f"To {action}, send the {what} as `content`.",
            errors=[{"field": "content", "code": "required", "detail": "Must not be empty."}],
        )
