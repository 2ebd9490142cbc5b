from agents.enums import RequestKind
from agents.models import Task
from agents.services import try_again
from agents.services.budgets import money
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.services.records import settle
from projects.transaction import ProjectTransaction


@register
class TryAgain(Action):
    key = "try_again"
    label = "Try again now"
    summary = "have the same work tried once more, as it was asked"
    shortcut = "t"
    order = 0
    outcome = RequestStatus.ANSWERED

    def is_allowed_for(self, request: HitlRequest) -> bool:
        """Where an error stopped the agent, and not its own verdict."""
        is_error = bool(request.subject["error"]) and not request.subject["outputs"]
        return request.kind == RequestKind.ESCALATION and is_error

    def consequence(self, request: HitlRequest, follows: str) -> str:
        raised = request.subject["error"].get("raises_soft_limit_to_micros")
        raises = f" The project's soft limit becomes {money(raised)}." if raised else ""
        return f"The agent tries the same work again at once; it is told nothing new.{raises}"

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        decision = settle(tx, request, data)
        try_again(tx, task)
        return decision
