from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from agents.enums import (
    FINAL,
    TASK_REQUEST_KINDS,
    TASK_WAITS,
    AgentState,
    AttemptOutcome,
    TaskStatus,
)
from audit.canonical import canonical, digest
from audit.models import Event
from core.errors import Conflict
from core.ids import new_id
from projects.agent_types import AgentTypeField, agent_type_choices
from projects.enums import Phase
from projects.integrity import ContentChanged
from projects.models import Project


class TaskQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "TaskQuerySet":
        return self.filter(project__in=Project.objects.visible_to(user))

    def open(self) -> "TaskQuerySet":
        return self.exclude(status__in=FINAL)


class Task(models.Model):
    """One unit of agent work. The row is the outbox: a job carries only its id."""

    TRANSITIONS = {
        TaskStatus.PENDING: {TaskStatus.WORKING, TaskStatus.CANCELLED},
        TaskStatus.WORKING: {
            TaskStatus.PENDING,
            TaskStatus.WAITING_FOR_HITL,
            TaskStatus.COMPLETED,
            TaskStatus.CANCELLED,
        },
        TaskStatus.WAITING_FOR_HITL: {
            TaskStatus.PENDING,
            TaskStatus.COMPLETED,
            TaskStatus.FAILED,
            TaskStatus.CANCELLED,
        },
        TaskStatus.COMPLETED: set(),
        TaskStatus.FAILED: {TaskStatus.PENDING},
        TaskStatus.CANCELLED: {TaskStatus.PENDING},
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Looked up by the longer index `tasks_of_a_project`.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    agent_type = AgentTypeField(max_length=20, choices=agent_type_choices)
    title = models.CharField(max_length=200, blank=True, default="")
    instructions = models.TextField()
    step = models.CharField(max_length=100, blank=True, default="", help_text="Empty: on its own.")
    phase = models.CharField(max_length=20, blank=True, default="", choices=Phase)
    round = models.PositiveIntegerField(default=1)
    is_current = models.BooleanField(default=True, help_text="False: dropped by a rewind.")
    dropped_by = models.CharField(
        max_length=20,
        blank=True,
        default="",
        help_text="Why: loop, changes_requested, person, stopped.",
    )
    gate = models.CharField(
        max_length=20, blank=True, default="", help_text="The approval that a result needs."
    )
    escalates_on_fail = models.BooleanField(default=True)
    handoff = models.JSONField(default=dict)
    answers = models.JSONField(default=list)
    assignment_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Over instructions, handoff and answers; empty for a task of an older release.",
    )
    status = models.CharField(max_length=20, choices=TaskStatus, default=TaskStatus.PENDING)
    waits_for = models.CharField(max_length=20, blank=True, default="")
    attempt = models.PositiveIntegerField(default=0, help_text="Claims so far.")
    failures = models.PositiveIntegerField(default=0, help_text="Transient failures so far.")
    crashes = models.PositiveIntegerField(default=0, help_text="Leases lost so far.")
    fence = models.PositiveIntegerField(
        default=0, help_text="Grows with every claim and take-back; an older one may not write."
    )
    run_after = models.DateTimeField(db_default=Now())
    # The column keeps its first name: processes of an older version may still run beside this.
    enqueued_at = models.DateTimeField(null=True, blank=True, db_column="rung_at")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True, default="")
    result = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        db_table = "tasks"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=TaskStatus.values), name="task_status_known"
            ),
            models.CheckConstraint(
                condition=Q(gate__in=["", *TASK_REQUEST_KINDS]), name="task_gate_known"
            ),
            models.CheckConstraint(
                condition=(
                    Q(status=TaskStatus.WAITING_FOR_HITL, waits_for__in=TASK_WAITS)
                    | (~Q(status=TaskStatus.WAITING_FOR_HITL) & Q(waits_for=""))
                ),
                name="task_waits_for_something_iff_waiting",
            ),
            models.CheckConstraint(
                condition=(
                    Q(status=TaskStatus.WORKING, lease_expires_at__isnull=False)
                    | (~Q(status=TaskStatus.WORKING) & Q(lease_expires_at__isnull=True))
                ),
                name="task_lease_iff_working",
            ),
            models.CheckConstraint(
                condition=Q(fence__gte=F("attempt")), name="task_fence_at_least_attempt"
            ),
            models.UniqueConstraint(
                fields=["project", "step"],
                condition=Q(is_current=True) & ~Q(step=""),
                name="task_current_once_a_step",
            ),
            models.UniqueConstraint(
                fields=["project", "step", "round"],
                condition=~Q(step=""),
                name="task_once_a_step_and_round",
            ),
        ]
        indexes = [
            models.Index(
                fields=["run_after"], name="tasks_due", condition=Q(status=TaskStatus.PENDING)
            ),
            models.Index(
                fields=["lease_expires_at"],
                name="tasks_leased",
                condition=Q(status=TaskStatus.WORKING),
            ),
            models.Index(
                fields=["project", "agent_type"],
                name="tasks_at_work",
                condition=Q(status=TaskStatus.WORKING),
            ),
            models.Index(
                fields=["project"],
                name="tasks_open",
                condition=~Q(status__in=["completed", "failed", "cancelled"]),
            ),
            models.Index(fields=["project", "-created_at"], name="tasks_of_a_project"),
            models.Index(fields=["-created_at", "-id"], name="tasks_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.title or self.agent_type} ({self.status})"

    @property
    def stop_reason(self) -> str:
        """Why it failed, where a person or the passing of time ended it."""
        ended = self.result.get("rejected") or self.result.get("expired") or {}
        return ended.get("reason", "")

    @property
    def assignment_digest(self) -> str:
        """Over what its agent is given, as it stands now."""
        given = [self.instructions, self.handoff, self.answers]
        return digest("paraph.assignment.v1", canonical(given))

    def check_assignment(self) -> None:
        """Raises ContentChanged where its agent would not be given what was pinned."""
        pinned = self.assignment_sha256 or self._logged_assignment()
        if pinned and (found := self.assignment_digest) != pinned:
            raise ContentChanged(
                "assignment",
                f"What the {self.agent_type} is given for “{self.title or self.step}”",
                project=self.project_id,
                expected=pinned,
                found=found,
                task=self.pk,
            )

    def _logged_assignment(self) -> str:
        """Empty for a task of an older release; for others somebody has emptied the column."""
        events = Event.objects.filter(task=self.pk, data__has_key="assignment_sha256")
        return events.order_by("id").values_list("data__assignment_sha256", flat=True).last() or ""

    def move(self, status: TaskStatus) -> None:
        """Raises Conflict `invalid_transition` where the state does not allow it."""
        if status not in self.TRANSITIONS[TaskStatus(self.status)]:
            raise Conflict(
                "invalid_transition",
                f"A task that is {self.status} cannot become {status}.",
                task_status=str(self.status),
            )
        self.status, self.waits_for, self.lease_expires_at = status, "", None

    def wait_for(self, kind: str) -> None:
        self.move(TaskStatus.WAITING_FOR_HITL)
        self.waits_for = kind


class TaskAttempt(models.Model):
    """One claim of a task by a worker, and how it ended. Kept for good."""

    # Looked up by `attempt_once_a_fence`.
    task = models.ForeignKey(
        Task, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    worker = models.CharField(max_length=200)
    lease_seconds = models.FloatField(
        null=True, blank=True, help_text="From the claim, and from each heartbeat."
    )
    report_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Of how a worker that runs elsewhere ended it: the same again is replayed.",
    )
    traceparent = models.CharField(
        max_length=55,
        blank=True,
        default="",
        db_default="",
        help_text="Of its span; where nobody takes scores, empty.",
    )
    outcome = models.CharField(
        max_length=20, choices=AttemptOutcome, default=AttemptOutcome.RUNNING
    )
    error_code = models.CharField(max_length=100, blank=True, default="")
    error_detail = models.TextField(blank=True, default="")
    provider = models.CharField(max_length=50, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    calls = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    output_tokens = models.PositiveBigIntegerField(null=True, blank=True)
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "task_attempts"
        ordering = ["task", "fence"]
        indexes = [
            # How a provider has answered lately; `offline` is what the demo model was called.
            models.Index(
                fields=["provider", "outcome", "-finished_at"],
                name="attempts_of_a_provider",
                condition=~Q(provider__in=["", "offline"]),
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["task", "fence"], name="attempt_once_a_fence"),
            models.CheckConstraint(
                condition=Q(outcome__in=AttemptOutcome.values), name="attempt_outcome_known"
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.task_id}"


class AgentStatus(models.Model):
    """The status board: one row a project and agent type."""

    # Looked up by `agent_once_a_project`.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="agents", db_index=False
    )
    agent_type = AgentTypeField(max_length=20, choices=agent_type_choices)
    status = models.CharField(max_length=20, choices=AgentState, default=AgentState.IDLE)
    task = models.ForeignKey(
        Task, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    updated_at = models.DateTimeField(db_default=Now())
    worker_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker that runs elsewhere last came for work."
    )

    class Meta:
        db_table = "agent_status"
        ordering = ["project", "id"]
        verbose_name_plural = "agent status"
        constraints = [
            models.UniqueConstraint(fields=["project", "agent_type"], name="agent_once_a_project"),
            models.CheckConstraint(
                condition=Q(status__in=AgentState.values), name="agent_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_type}: {self.status}"
