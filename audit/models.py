from django.db import models
from django.db.models import Q

from audit.enums import EventSource
from audit.event_types import event_type_choices


class Stream(models.Model):
    """The head of a project's event log. Its row lock serializes the appends."""

    project = models.UUIDField(primary_key=True)
    epoch = models.CharField(max_length=32, help_text="Changes when a backup is restored.")
    sequence = models.PositiveBigIntegerField(default=0)
    head_hash = models.CharField(max_length=64, blank=True, default="")
    head_at = models.DateTimeField()
    erased_through = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="Up to here the database lets payloads be erased."
    )

    class Meta:
        db_table = "event_streams"

    def __str__(self) -> str:
        return f"{self.project} at {self.sequence}"


class Event(models.Model):
    """One fact. Never changed, never deleted; the database lets only its payload be erased."""

    id = models.BigAutoField(primary_key=True)
    project = models.UUIDField()
    epoch = models.CharField(max_length=32)
    sequence = models.PositiveBigIntegerField()
    event_type = models.CharField(max_length=40, choices=event_type_choices)
    event_source = models.CharField(max_length=10, choices=EventSource)
    actor = models.CharField(max_length=80)
    task = models.UUIDField(null=True, blank=True)
    hitl_request = models.UUIDField(null=True, blank=True)
    data = models.JSONField(default=dict)
    salt = models.CharField(max_length=32)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    payload_hash = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "event_log"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "sequence"], name="event_sequence_once"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="event_sequence_from_1"),
            models.CheckConstraint(
                condition=Q(event_source__in=EventSource.values), name="event_source_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["task", "id"], name="events_of_a_task", condition=Q(task__isnull=False)
            ),
            models.Index(
                fields=["hitl_request", "id"],
                name="events_of_a_request",
                condition=Q(hitl_request__isnull=False),
            ),
            models.Index(fields=["created_at"], name="events_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.event_type}"
