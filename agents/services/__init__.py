"""Every write to tasks. Times come from the database's clock only."""

from agents.services.budgets import return_dead_reservations
from agents.services.capacity import enqueue_refused, update_project_share
from agents.services.claims import Claim, claim_task, hand_back, hand_back_claims
from agents.services.exchanges import forget_exchanges
from agents.services.provider_checks import note_check
from agents.services.recovery import enqueue_due_tasks, take_back_lost_tasks
from agents.services.results import (
    escalate_waiting,
    fail_attempt,
    finish_task,
    output_reference,
)
from agents.services.settlement import (
    accept_result,
    cancel_tasks,
    drop_tasks,
    expire_result,
    reject_result,
    requeue_with_answer,
    resume_call,
    return_for_changes,
    try_again,
)
from agents.services.tasks import cancel_task, create_task, request_task, retry_task
from agents.stops.services import (
    activate_emergency_stop,
    may_stop_everything,
    record_stop_notices,
    release_emergency_stop,
)

__all__ = [
    "Claim",
    "accept_result",
    "activate_emergency_stop",
    "cancel_task",
    "cancel_tasks",
    "claim_task",
    "create_task",
    "drop_tasks",
    "enqueue_due_tasks",
    "enqueue_refused",
    "escalate_waiting",
    "expire_result",
    "fail_attempt",
    "finish_task",
    "forget_exchanges",
    "hand_back",
    "hand_back_claims",
    "may_stop_everything",
    "note_check",
    "output_reference",
    "record_stop_notices",
    "reject_result",
    "release_emergency_stop",
    "request_task",
    "requeue_with_answer",
    "resume_call",
    "retry_task",
    "return_dead_reservations",
    "return_for_changes",
    "take_back_lost_tasks",
    "try_again",
    "update_project_share",
]
