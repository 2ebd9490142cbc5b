"""The emergency stop. It stands in the database alone, so no restart and no lost Redis ends it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.functional import cached_property

from agents.enums import StopLevel, TaskStatus, WorkerKind
from agents.models.work import Task
from core.ids import new_id
from projects.agent_types import AgentTypeField, agent_type_choices
from projects.models import Project

# A process that has not been seen for longer is not there to acknowledge.
WORKER_SEEN_SECONDS = 15


class EmergencyStopQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "EmergencyStopQuerySet":
        """A stop of everything concerns everybody; one of a project, who may see the project."""
        if user.is_superuser:
            return self
        mine = Project.objects.visible_to(user)
        return self.filter(Q(project__isnull=True) | Q(project__in=mine))

    def active(self) -> "EmergencyStopQuerySet":
        return self.filter(released_at__isnull=True)

    def covering(self, project_id: Any) -> "EmergencyStopQuerySet":
        """Active, and about this project, alone or among all."""
        return self.active().filter(Q(project__isnull=True) | Q(project=project_id))

    def of_scope(self, project_id: Any, agent_type: str) -> "EmergencyStopQuerySet":
        """Exactly of this scope, active or over."""
        return self.filter(project=project_id, agent_type=agent_type)


class EmergencyStop(models.Model):
    """While it stands, no agent in its scope works."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="emergency_stops",
        help_text="Empty: all projects.",
    )
    agent_type = AgentTypeField(
        max_length=20,
        choices=agent_type_choices,
        blank=True,
        default="",
        help_text="Empty: all agents.",
    )
    level = models.CharField(
        max_length=12,
        choices=StopLevel,
        blank=True,
        default="",
        db_default="",
        help_text="From where it was set, and alone is released. Empty: of an older release.",
    )
    reason = models.TextField()
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    activated_at = models.DateTimeField(db_default=Now())
    release_reason = models.TextField(blank=True, default="")
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    released_at = models.DateTimeField(null=True, blank=True)

    objects = EmergencyStopQuerySet.as_manager()

    class Meta:
        db_table = "emergency_stops"
        ordering = ["-activated_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="stop_has_a_reason"),
            models.CheckConstraint(
                condition=(
                    Q(released_at__isnull=True, released_by__isnull=True, release_reason="")
                    | (
                        Q(released_at__isnull=False, released_by__isnull=False)
                        & ~Q(release_reason="")
                    )
                ),
                name="stop_released_with_name_and_reason",
            ),
            # Also the index by which every claim asks whether it is stopped.
            models.UniqueConstraint(
                fields=["project", "agent_type"],
                condition=Q(released_at__isnull=True),
                nulls_distinct=False,
                name="stop_active_once_a_scope",
            ),
        ]
        indexes = [models.Index(fields=["-activated_at", "-id"], name="stops_newest_first")]
        permissions = [("stop_everything", "Can stop and release all projects")]

    def __str__(self) -> str:
        return f"emergency stop of {self.scope_text}"

    @property
    def scope(self) -> str:
        if self.agent_type:
            return "agent_type"
        return "project" if self.project_id else "all"

    @property
    def scope_text(self) -> str:
        agents = f"the agent {self.agent_type}" if self.agent_type else "all agents"
        return f"{agents} in {self.project.name if self.project_id else 'all projects'}"

    @property
    def held_at(self) -> StopLevel:
        """The level, also of a stop that an older release has set."""
        return StopLevel(
            self.level or (StopLevel.PROJECT if self.project_id else StopLevel.INSTALLATION)
        )

    @property
    def level_text(self) -> str:
        """Who can release it."""
        return {
            StopLevel.PROJECT: "only an owner of the project can release it",
            StopLevel.INSTALLATION: "only an operator can release it",
            StopLevel.BOTH: "an owner and an operator both have to release it",
        }[self.held_at]

    @property
    def is_active(self) -> bool:
        return self.released_at is None

    @property
    def workers_expected(self) -> int:
        return len(self.acknowledgements.all())

    @property
    def workers_acknowledged(self) -> int:
        return sum(ack.acknowledged_at is not None for ack in self.acknowledgements.all())

    @cached_property
    def missing_workers(self) -> list[str]:
        """Are there, and have not acknowledged."""
        return [name for name in self._silent_workers if name not in self.gone_workers]

    @cached_property
    def gone_workers(self) -> list[str]:
        """Have not acknowledged, nor been seen for long. Most likely dead; else they still will."""
        if not (silent := self._silent_workers):
            return []
        alive = {*WorkerProcess.objects.seen_lately().in_bulk(silent)}
        # A worker that runs elsewhere is there as long as it holds a lease.
        at_work = Task.objects.filter(worker__in=silent, status=TaskStatus.WORKING)
        alive |= {*at_work.values_list("worker", flat=True)}
        return [name for name in silent if name not in alive]

    @property
    def workers_gone(self) -> int:
        return len(self.gone_workers)

    @property
    def _silent_workers(self) -> list[str]:
        return [ack.worker for ack in self.acknowledgements.all() if ack.acknowledged_at is None]

    @property
    def seconds_to_last_acknowledgement(self) -> float | None:
        """None while a worker is missing, and where there was none."""
        times = [ack.acknowledged_at for ack in self.acknowledgements.all() if ack.acknowledged_at]
        if not times or self.missing_workers:
            return None
        return (max(times) - self.activated_at).total_seconds()

    @property
    def workers_text(self) -> str:
        """How far the acknowledgements are, and how long the last one took."""
        if not self.workers_expected:
            return "no worker was there"
        seconds = self.seconds_to_last_acknowledgement
        count = f"{self.workers_acknowledged} of {self.workers_expected} workers have stopped"
        if gone := self.workers_gone:
            count += f", {gone} {'is' if gone == 1 else 'are'} gone"
        return count if seconds is None else f"{count}, the last after {seconds:.2f} s"


class WorkerProcessQuerySet(models.QuerySet):
    def seen_lately(self) -> "WorkerProcessQuerySet":
        return self.filter(seen_at__gt=Now() - timedelta(seconds=WORKER_SEEN_SECONDS))


class WorkerProcess(models.Model):
    """A process that works, as long as it reports itself: see `agents.worker.registry`."""

    name = models.CharField(primary_key=True, max_length=200)
    kind = models.CharField(
        max_length=20,
        choices=WorkerKind,
        default=WorkerKind.PROCESS,
        db_default=WorkerKind.PROCESS,
    )
    queues = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text="From which a consumer takes jobs, with commas between.",
    )
    concurrency = models.PositiveIntegerField(
        default=1, db_default=1, help_text="Tasks that the process works on at once."
    )
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    objects = WorkerProcessQuerySet.as_manager()

    class Meta:
        db_table = "worker_processes"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class StopAcknowledgement(models.Model):
    """A process that was there at a stop, and when nothing in its scope ran there any more."""

    stop = models.ForeignKey(
        EmergencyStop, on_delete=models.CASCADE, related_name="acknowledgements"
    )
    worker = models.CharField(max_length=200)
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "emergency_stop_acknowledgements"
        ordering = ["stop", "worker"]
        constraints = [
            models.UniqueConstraint(fields=["stop", "worker"], name="stop_acknowledged_once"),
        ]

    def __str__(self) -> str:
        return f"{self.worker}: {self.acknowledged_at or 'not yet'}"


class StopNotice(models.Model):
    """A project whose log is to record a stop and its release, in bounded pieces."""

    stop = models.ForeignKey(EmergencyStop, on_delete=models.CASCADE, related_name="notices")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    is_release_due = models.BooleanField(default=False)
    activation_told_at = models.DateTimeField(null=True, blank=True)
    release_told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "emergency_stop_notices"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["stop", "project"], name="stop_notice_once_a_project"),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="stop_notices_due",
                condition=Q(activation_told_at__isnull=True)
                | Q(is_release_due=True, release_told_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"notice of {self.stop_id} to {self.project_id}"
