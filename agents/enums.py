from django.db import models


class TaskStatus(models.TextChoices):
    PENDING = "pending", "waits for a worker, or for its time"
    WORKING = "working", "a worker holds the lease"
    WAITING_FOR_HITL = "waiting_for_hitl", "a person is asked"
    COMPLETED = "completed", "done, and its result is what the work goes on with"
    FAILED = "failed", "stopped by a person's reject"
    CANCELLED = "cancelled", "given up, or replaced by another round"


FINAL = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
OPEN = frozenset(TaskStatus) - FINAL


class WaitsFor(models.TextChoices):
    """What a task in `waiting_for_hitl` needs; the kind of its request."""

    PLAN_APPROVAL = "plan_approval"
    RESULT_APPROVAL = "result_approval"
    CLARIFICATION = "clarification"
    ESCALATION = "escalation"


class AgentState(models.TextChoices):
    IDLE = "idle"
    WORKING = "working"
    WAITING_FOR_HITL = "waiting_for_hitl"
    ERROR = "error"


class AttemptOutcome(models.TextChoices):
    RUNNING = "running"
    COMPLETED = "completed"
    NEEDS_PERSON = "needs_person"
    TRANSIENT_ERROR = "transient_error", "another try follows, if any is left"
    PERMANENT_ERROR = "permanent_error"
    CRASHED = "crashed", "the worker lost its lease"
    HANDED_BACK = "handed_back", "the worker was stopped"
    CANCELLED = "cancelled"


class WorkerKind(models.TextChoices):
    #: Runs tasks, and acknowledges emergency stops.
    PROCESS = "process"
    #: Takes jobs from queues.
    CONSUMER = "consumer"
    #: Puts the periodic jobs into the queue.
    SCHEDULER = "scheduler"
