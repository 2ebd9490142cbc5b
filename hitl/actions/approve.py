from typing import Any

from agents.enums import RequestKind
from agents.models import Task
from agents.services import accept_result
from context.services import accept_versions
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.services.records import record_decision, settle
from projects.transaction import ProjectTransaction


@register
class Approve(Action):
    key = "approve"
    label = "Approve"
    summary = "go on with exactly what was shown"
    shortcut = "a"
    order = 1
    outcome = RequestStatus.APPROVED

    def is_allowed_for(self, request: HitlRequest) -> bool:
        """Where there is something to approve."""
        if request.kind == RequestKind.CLARIFICATION:
            return False
        return request.kind != RequestKind.ESCALATION or bool(request.subject["outputs"])

    def consequence(self, request: HitlRequest, follows: str) -> str:
        return f"The work continues with exactly this. {follows}"

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        request.approvals += 1
        if request.approvals < request.required_approvals and not data.is_break_glass:
            # More approvals are needed; a claim must not hold up the next person.
            request.claimed_by = request.claimed_until = None
            request.save(update_fields=["approvals", "claimed_by", "claimed_until"])
            return record_decision(tx, request, data)
        outputs: list[dict[str, Any]] = request.subject["outputs"]
        decision = settle(tx, request, data, outputs)
        accept_versions(outputs)
        accept_result(tx, task, outputs)
        return decision
