from agents.models import Task
from agents.services import reject_result
from context.services import reject_versions
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.services.records import settle
from projects.transaction import ProjectTransaction


@register
class Reject(Action):
    key = "reject"
    label = "Reject"
    summary = "stop the project"
    shortcut = "r"
    order = 5
    outcome = RequestStatus.REJECTED
    needs_comment = True
    is_destructive = True

    def is_allowed_for(self, request: HitlRequest) -> bool:
        return True

    def consequence(self, request: HitlRequest, follows: str) -> str:
        return "The project stops as failed, with your reason."

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        decision = settle(tx, request, data, request.subject["outputs"])
        reject_versions(request.subject["outputs"])
        reject_result(tx, task, data.comment)
        return decision
