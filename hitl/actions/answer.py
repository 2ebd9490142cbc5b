from typing import Any

from agents.enums import RequestKind
from agents.models import Task
from agents.services import requeue_with_answer
from context.services import store_input
from context.types.hitl_response import HITL_RESPONSE
from core.errors import Unprocessable
from core.text import is_storable
from hitl.actions.base import Action, DecisionInput
from hitl.actions.registry import register
from hitl.enums import RequestStatus
from hitl.models import Decision, HitlRequest
from hitl.services.records import settle
from projects.transaction import ProjectTransaction


@register
class Answer(Action):
    key = "answer"
    label = "Answer"
    summary = "reply to the agent's questions"
    shortcut = "w"
    order = 4
    outcome = RequestStatus.ANSWERED
    needs_content = True
    content_name = "answer"

    def is_allowed_for(self, request: HitlRequest) -> bool:
        return request.kind == RequestKind.CLARIFICATION

    def consequence(self, request: HitlRequest, follows: str) -> str:
        return "The agent continues with your answer."

    def apply(
        self, tx: ProjectTransaction, request: HitlRequest, task: Task, data: DecisionInput
    ) -> Decision:
        text = answer_text(data.content)
        decision = settle(tx, request, data)
        content = {
            "questions": task.result.get("questions", []),
            "answer": text,
            "answered_by": data.actor.name,
            "action": self.key,
        }
        store_input(
            tx,
            artifact_type=HITL_RESPONSE,
            title=f"Answer: {task.title or task.agent_type}"[:300],
            content=content,
        )
        requeue_with_answer(tx, task, text)
        return decision


def answer_text(content: Any) -> str:
    """An answer is text; a list or an object of texts, one for each question, is joined."""
    if isinstance(content, dict):
        content = [f"{key}: {value}" for key, value in content.items()]
    if isinstance(content, list):
        content = "\n".join(str(reply) for reply in content)
    if not isinstance(content, str) or not content.strip() or not is_storable(content):
        raise Unprocessable("content_required", "Send the answer as text in `content`.")
    return content.strip()
