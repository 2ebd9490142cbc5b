from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

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


class Epoch(models.Model):
    """A part of a stream: the events of `epoch` after one sequence, up to another.

    Written by a trigger of `event_streams`, so that whatever changes a stream's epoch is in here.
    """

    project = models.UUIDField()
    epoch = models.CharField(max_length=32)
    after = models.PositiveBigIntegerField()
    through = models.PositiveBigIntegerField(null=True, help_text="None: it goes on.")

    class Meta:
        db_table = "event_epochs"
        indexes = [models.Index(fields=["project", "epoch"], name="epochs_of_a_project")]

    def __str__(self) -> str:
        return f"{self.epoch} after {self.after}"


class EventQuerySet(models.QuerySet):
    def in_chain(self) -> Self:
        """Rows that the stream's head covers, in the epoch that the stream had there."""
        return self.filter(*_in_chain())

    def not_in_chain(self) -> Self:
        """Rows that the product did not write, or no longer knows of."""
        is_covered, is_of_epoch = _in_chain()
        return self.exclude(is_covered & is_of_epoch)


def _in_chain() -> tuple[Exists, Exists]:
    epochs = Epoch.objects.filter(
        Q(through=None) | Q(through__gte=OuterRef("sequence")),
        project=OuterRef("project"),
        epoch=OuterRef("epoch"),
        after__lt=OuterRef("sequence"),
    )
    streams = Stream.objects.filter(project=OuterRef("project"), sequence__gte=OuterRef("sequence"))
    return Exists(streams), Exists(epochs)


class Chain(models.Manager.from_queryset(EventQuerySet)):
    """What readers are given: a row that somebody else has put into the table is not of the log."""

    def get_queryset(self) -> EventQuerySet:
        return super().get_queryset().in_chain()


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

    objects = Chain()
    #: Also those that are not in the chain: for verification only.
    rows = EventQuerySet.as_manager()

    class Meta:
        db_table = "event_log"
        ordering = ["id"]
        constraints = [
            # A row that is not of the log may stand where its next event would: that one then goes
            # into a new epoch. In this order it is also the index by sequence.
            models.UniqueConstraint(
                fields=["project", "sequence", "epoch"], name="event_once_an_epoch"
            ),
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


class Leaf(models.Model):
    """The hash of an event in the tree over all events (RFC 6962), in the order of its growth."""

    index = models.PositiveBigIntegerField(primary_key=True)
    project = models.UUIDField()
    sequence = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "log_leaves"
        constraints = [
            models.UniqueConstraint(fields=["project", "sequence"], name="leaf_once_an_event")
        ]

    def __str__(self) -> str:
        return f"leaf {self.index}"


class TreeNode(models.Model):
    """The hash over 2 ** level leaves, from `index * 2 ** level` on."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "log_tree"

    def __str__(self) -> str:
        return f"node {self.level}/{self.index}"


class Checkpoint(models.Model):
    """What was signed: a copy for readers. The one that counts is in the checkpoints' folder."""

    size = models.PositiveBigIntegerField()
    root = models.CharField(max_length=64)
    note = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "log_checkpoints"
        ordering = ["id"]
        indexes = [models.Index(fields=["size"], name="checkpoints_by_size")]

    def __str__(self) -> str:
        return f"checkpoint of {self.size} events"


class LogVerification(models.Model):
    """When a project's log and rows were last verified by the schedule, and what did not hold."""

    subject = models.CharField(primary_key=True, max_length=40, help_text="A project, or `tree`.")
    sequence = models.PositiveBigIntegerField(default=0)
    problem = models.TextField(blank=True, default="")
    verified_at = models.DateTimeField()

    class Meta:
        db_table = "log_verifications"

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem or 'holds'}"
