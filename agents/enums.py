from django.db import models


class TaskStatus(models.TextChoices):
    #: Waits for a worker, or for its time.
    PENDING = "pending", "Pending"
    #: A worker holds the lease.
    WORKING = "working", "Working"
    #: A person is asked.
    WAITING_FOR_HITL = "waiting_for_hitl", "Waiting for a person"
    #: Done, and its result is what the work goes on with.
    COMPLETED = "completed", "Completed"
    #: Stopped by a person's reject.
    FAILED = "failed", "Failed"
    #: Given up, or replaced by another round.
    CANCELLED = "cancelled", "Cancelled"


FINAL = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class RequestKind(models.TextChoices):
    """What a request is about; for a task in `waiting_for_hitl`, what it waits for."""

    #: May the work follow this plan.
    PLAN_APPROVAL = "plan_approval", "Plan approval"
    #: May the work go on with this result.
    RESULT_APPROVAL = "result_approval", "Result approval"
    #: An agent has questions.
    CLARIFICATION = "clarification", "Clarification"
    #: An agent cannot go on by itself.
    ESCALATION = "escalation", "Escalation"
    #: May an agent do what it is about to do. About an action; a task may wait for it.
    ACTION_APPROVAL = "action_approval", "Action approval"


#: What the result of a task can need, and what a task can be asked about.
TASK_REQUEST_KINDS = [kind.value for kind in RequestKind if kind != RequestKind.ACTION_APPROVAL]
#: What a task can wait for: also for the word of a person on what its agent is about to do.
TASK_WAITS = [*TASK_REQUEST_KINDS, RequestKind.ACTION_APPROVAL.value]


class AgentState(models.TextChoices):
    IDLE = "idle", "Idle"
    WORKING = "working", "Working"
    WAITING_FOR_HITL = "waiting_for_hitl", "Waiting for a person"
    ERROR = "error", "Error"


class AttemptOutcome(models.TextChoices):
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"
    NEEDS_PERSON = "needs_person", "Needs a person"
    #: Another try follows, if any is left.
    TRANSIENT_ERROR = "transient_error", "Transient error"
    PERMANENT_ERROR = "permanent_error", "Permanent error"
    #: The worker lost its lease.
    CRASHED = "crashed", "Crashed"
    #: The worker was stopped.
    HANDED_BACK = "handed_back", "Handed back"
    CANCELLED = "cancelled", "Cancelled"


class ToolOutcome(models.TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    #: The model was told what was wrong.
    FAILED = "failed", "Failed"
    #: A person or a rule said no.
    REFUSED = "refused", "Refused"


class CallState(models.TextChoices):
    """Of one request to a provider of models."""

    #: Under way: the most that it can cost is held back.
    RESERVED = "reserved", "Reserved"
    #: Answered, or failed: what it cost is counted.
    SETTLED = "settled", "Settled"
    #: Its attempt ended without it: nothing is counted.
    RETURNED = "returned", "Returned"


class StopLevel(models.TextChoices):
    """From where an emergency stop was set, and from where alone it is released."""

    #: By an owner of the project.
    PROJECT = "project", "Project"
    #: By somebody who may stop everything.
    INSTALLATION = "installation", "Installation"
    #: By both: each releases their own.
    BOTH = "both", "Project and installation"


class WorkerKind(models.TextChoices):
    #: Runs tasks, and acknowledges emergency stops.
    PROCESS = "process"
    #: Takes jobs from queues.
    CONSUMER = "consumer"
    #: Puts the periodic jobs into the queue.
    SCHEDULER = "scheduler"
