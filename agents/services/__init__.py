"""Every write to tasks. Times come from the database's clock only."""

from agents.services.claiming import Claim, claim_task, hand_back, renew_leases
from agents.services.creating import cancel_task, create_task, request_task, retry_task
from agents.services.finishing import fail_attempt, finish_task
from agents.services.recovering import ring_due_tasks, take_back_lost_tasks
from agents.services.settling import (
    accept_result,
    cancel_open_tasks,
    drop_tasks,
    reject_result,
    requeue_with_answer,
    return_for_changes,
)

__all__ = [
    "Claim",
    "accept_result",
    "cancel_open_tasks",
    "cancel_task",
    "claim_task",
    "create_task",
    "drop_tasks",
    "fail_attempt",
    "finish_task",
    "hand_back",
    "reject_result",
    "renew_leases",
    "request_task",
    "requeue_with_answer",
    "retry_task",
    "return_for_changes",
    "ring_due_tasks",
    "take_back_lost_tasks",
]
