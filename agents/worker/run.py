"""One job: claim, work, finish. Only the services at its ends write to the database."""

import logging
import time
from datetime import timedelta
from functools import partial
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error as DatabaseAway

from agents.context_assembly import assemble_assignment
from agents.endpoints.services import endpoint_of
from agents.enums import AttemptOutcome
from agents.external import model_of
from agents.metrics import ATTEMPT_SECONDS, QUEUE_WAIT_SECONDS, count_usage
from agents.models import TaskAttempt
from agents.protocols import (
    Completed,
    Outcome,
    PermanentError,
    TransientError,
    Usage,
    WorkError,
)
from agents.providers import model_for
from agents.providers.wrappers import CancellableModel, ProgressReportingModel
from agents.queue import claim_taken_along
from agents.role import role_for
from agents.services import (
    Claim,
    claim_task,
    enqueue_refused,
    fail_attempt,
    finish_task,
)
from agents.services.budgets import add_spending
from agents.services.runs import empty_runs
from agents.worker.cancellation import (
    Cancellation,
    LeaseLost,
    StopRequested,
    TimeLimitReached,
    WorkerStopping,
)
from agents.worker.lease import hand_back_stopped, hold_lease
from agents.worker.tool_loop import ApprovalNeeded, ToolUsingModel
from agents.workspace import WorkspaceError
from core.database import until_database_is_back
from core.errors import DomainError
from core.failpoints import failpoint
from core.log_fields import log_fields
from core.tracing import span, traceparent
from projects.integrity import ContentChanged

logger = logging.getLogger(__name__)

# Another worker has taken over.
LOST = "lost"
# A connection that broke while nobody used it; after that the sweep enqueues the task again.
CLAIM_SECONDS = 1.0
TIME_LIMIT = "The work took longer than a job may."
NOT_DONE = (LOST, AttemptOutcome.HANDED_BACK)
SUCCEEDED = (AttemptOutcome.COMPLETED, AttemptOutcome.NEEDS_PERSON)


def run(*, task_id: UUID, worker: str) -> bool:
    """Whether this call did the work; False for a duplicate, a lost lease or an emergency stop."""
    with log_fields(task=str(task_id)):
        claim = claim_taken_along() or until_database_is_back(
            lambda: claim_task(task_id=task_id, worker=worker), seconds=CLAIM_SECONDS
        )
        if claim is None:
            return False
        task = claim.task
        fields = {
            "project": str(task.project_id),
            "agent_type": str(task.agent_type),
            "attempt": task.attempt,
        }
        facts = {f"paraph.{name}": value for name, value in fields.items()}
        # By the database's clock, which dated the claim with its lease.
        claimed_at = task.lease_expires_at - timedelta(seconds=settings.TASK_LEASE_SECONDS)
        waited = max(0.0, (claimed_at - task.run_after).total_seconds())
        QUEUE_WAIT_SECONDS.labels(fields["agent_type"]).observe(waited)
        with (
            log_fields(**fields),
            span("attempt", facts | {"paraph.task": str(task_id)}) as attempt_span,
        ):
            failpoint("after_claim")
            if settings.TAKES_SCORES and (span_of_attempt := traceparent()):
                attempts = TaskAttempt.objects.filter(task=task, fence=claim.fence)
                attempts.update(traceparent=span_of_attempt)
            started = time.monotonic()
            outcome = str(_attempt(claim) or LOST)
            seconds = time.monotonic() - started
            ATTEMPT_SECONDS.labels(fields["agent_type"], outcome).observe(seconds)
            extra = {"outcome": outcome, "duration_ms": round(seconds * 1000, 1)}
            logger.info("attempt ended", extra=extra)
            attempt_span.add({"paraph.outcome": outcome})
            if outcome not in SUCCEEDED:
                attempt_span.fail(outcome)
            enqueue_refused(task)
        return outcome not in NOT_DONE


def _attempt(claim: Claim) -> AttemptOutcome | None:
    """How it ended; None where the lease was lost."""
    try:
        with hold_lease(claim) as cancellation:
            failpoint("before_effect")
            outcome = _work(cancellation)
    except LeaseLost:
        return None
    except StopRequested:
        hand_back_stopped(claim)
        return AttemptOutcome.HANDED_BACK
    except WorkerStopping:
        return AttemptOutcome.HANDED_BACK
    except TimeLimitReached:
        return _fail(claim, TransientError("time_limit", TIME_LIMIT))
    except WorkError as error:
        return _fail(claim, error)
    failpoint("after_effect_before_record")
    ended = record_outcome(claim, outcome)
    if ended == AttemptOutcome.COMPLETED and cancellation.has_conversation:
        empty_runs(claim.task)
    return ended


def _work(cancellation: Cancellation) -> Outcome:
    claim = cancellation.claim
    agent_type = claim.task.agent_type
    try:
        project = claim.task.project
        served_by = model_for(
            agent_type, model_of(project, agent_type), partial(endpoint_of, project)
        )
        model = CancellableModel(served_by, cancellation)
        reporting = ProgressReportingModel(model, claim.task)
        using_tools = ToolUsingModel(reporting, cancellation)
        return role_for(agent_type).run(assemble_assignment(claim), using_tools)
    except ApprovalNeeded as need:
        return need.outcome
    except (WorkError, DatabaseAway):
        # Without the database nothing can be said of the attempt; the sweep takes the task back.
        raise
    except ContentChanged as error:
        changed = PermanentError(error.code, error.detail)
        changed.facts = error.facts
        raise changed from error
    except SoftTimeLimitExceeded as error:
        raise TransientError("time_limit", TIME_LIMIT) from error
    except Exception as error:
        logger.exception("agent failed")
        raise PermanentError("internal_error", f"{type(error).__name__} in the agent.") from error


def _fail(claim: Claim, error: WorkError) -> AttemptOutcome | None:
    _count(claim, error.usage)
    if not fail_attempt(claim=claim, error=error):
        return None
    is_transient = isinstance(error, TransientError)
    return AttemptOutcome.TRANSIENT_ERROR if is_transient else AttemptOutcome.PERMANENT_ERROR


def _count(claim: Claim, usage: Usage | None) -> None:
    """What was not counted request by request: of the demo model, and of providers of one's own."""
    count_usage(usage)
    if usage is not None and not usage.is_counted:
        add_spending(claim.task, usage)


def record_outcome(claim: Claim, outcome: Outcome) -> AttemptOutcome | None:
    """How it ended; None where the lease was lost. Outputs that do not fit are another try."""
    try:
        # What a model has written should not be lost for a moment without a database. The fence
        # lets it be stored once, however often it is tried, while the lease lasts.
        is_ours = until_database_is_back(
            lambda: finish_task(claim=claim, outcome=outcome), seconds=settings.TASK_LEASE_SECONDS
        )
    except (DomainError, WorkspaceError) as error:
        detail = f"The agent's output cannot be stored: {error}"
        return _fail(claim, TransientError("invalid_output", detail[:2000], usage=outcome.usage))
    _count(claim, outcome.usage)
    if not is_ours:
        return None
    is_completed = isinstance(outcome, Completed)
    return AttemptOutcome.COMPLETED if is_completed else AttemptOutcome.NEEDS_PERSON
