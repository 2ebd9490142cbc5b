from agents.enums import RequestKind
from agents.models import Task
from agents.services import return_for_changes
from context.services import reject_versions
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.services.records import settle
from projects.transaction import ProjectTransaction


@register
class RequestChanges(Action):
    key = "request_changes"
    label = "Request changes"
    summary = "have the step done again, with your comment"
    shortcut = "c"
    order = 3
    outcome = RequestStatus.CHANGES_REQUESTED
    needs_comment = True
    comment_question = "What should change?"

    def is_allowed_for(self, request: HitlRequest) -> bool:
        return request.kind != RequestKind.CLARIFICATION

    def consequence(self, request: HitlRequest, follows: str) -> str:
        return "The agent does the step again with your comment, and asks again."

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        decision = settle(tx, request, data, request.subject["outputs"])
        reject_versions(request.subject["outputs"])
        return_for_changes(tx, task, data.comment)
        return decision
