"""Where each stream has been read to, what is to be sent to whom, and how that went."""

import random
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from audit.models import Event
from core.errors import Conflict
from core.ids import new_id
from notifications.enums import DeliveryStatus
from projects.models import Project

#: Seconds until the next attempt; the last one repeats until a day is over.
RETRY_SECONDS = (5, 15, 30, 60, 120, 300, 600)
RETRIED_FOR = timedelta(days=1)
#: How often a receiver may refuse one message by 400, 413 or 422, before the others go on.
REFUSALS_MAX = 5
ERROR_MAX = 500


def retry_delay(attempts: int) -> timedelta:
    """After so many failed attempts; with jitter, so that what failed together spreads out."""
    seconds = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 - no secret


def retried_until() -> datetime:
    return timezone.now() + RETRIED_FOR


class Cursor(models.Model):
    """How far notifications have read a stream. It moves in the transaction of what it read."""

    project = models.UUIDField(primary_key=True)
    sequence = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "notification_cursors"

    def __str__(self) -> str:
        return f"{self.project} read to {self.sequence}"


class Delivery(models.Model):
    """Something that is to reach somebody: tried until it does, for a day."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    status = models.CharField(max_length=10, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=ERROR_MAX, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    attempted_at = models.DateTimeField(null=True)
    retry_until = models.DateTimeField(default=retried_until)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    RESULT = ("status", "attempts", "error", "attempted_at", "finished_at")

    def succeed(self, now: datetime) -> None:
        self._end(DeliveryStatus.SENT, now)
        self.attempts += 1
        self.attempted_at = now

    def fail(self, now: datetime, error: str, *, is_final: bool = False) -> None:
        """It is dead after a day, or at once."""
        self.attempts += 1
        self.attempted_at, self.error = now, error[:ERROR_MAX]
        if is_final or now >= self.retry_until:
            self._end(DeliveryStatus.DEAD, now, self.error)

    def drop(self, now: datetime, reason: str) -> None:
        self._end(DeliveryStatus.DROPPED, now, reason)

    def send_again(self, now: datetime) -> None:
        """Raises Conflict where it is not dead."""
        if self.status != DeliveryStatus.DEAD:
            raise Conflict(
                "not_dead", f"Only what was given up is sent again; this is {self.status}."
            )
        self.status, self.finished_at = DeliveryStatus.PENDING, None
        self.attempts, self.retry_until = 0, now + RETRIED_FOR

    def _end(self, status: DeliveryStatus, now: datetime, error: str = "") -> None:
        self.status, self.finished_at, self.error = status, now, error[:ERROR_MAX]


class Webhook(models.Model):
    """Another system that is told of a project's events, in their order."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    event_types = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Empty: all."
    )
    # Encrypted: see `core.encryption`.
    secret = models.CharField(max_length=500, editable=False)
    previous_secret = models.CharField(max_length=500, blank=True, default="", editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    after = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="It is told of events after this one."
    )
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=200, blank=True, default="", editable=False)
    # Its queue is one: what comes later waits until the first is through.
    failing_since = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="In a row.")
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "webhooks"
        ordering = ["created_at", "id"]
        indexes = [models.Index(fields=["next_attempt_at"], name="webhooks_by_next_attempt")]

    def __str__(self) -> str:
        return f"webhook to {self.host}"

    @property
    def host(self) -> str:
        """What may be shown to every member; the rest of the address may be a secret."""
        return urlsplit(self.url).hostname or ""

    def wants(self, event: Event) -> bool:
        is_chosen = not self.event_types or event.event_type in self.event_types
        return is_chosen and event.sequence > self.after

    def disable(self, reason: str) -> None:
        self.disabled_at, self.disabled_reason = timezone.now(), reason

    def enable(self) -> None:
        self.disabled_at, self.disabled_reason = None, ""
        self.failing_since, self.failures, self.next_attempt_at = None, 0, timezone.now()


class WebhookDelivery(Delivery):
    """One event for one webhook. The event is read from the log each time that it is sent."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    epoch = models.CharField(max_length=32, help_text="With the sequence: the same over retries.")
    sequence = models.PositiveBigIntegerField(help_text="0: a test.")
    event_type = models.CharField(max_length=40)
    response_status = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)

    class Meta:
        db_table = "webhook_deliveries"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "epoch", "sequence"], name="delivery_once_an_event"
            )
        ]
        indexes = [
            models.Index(
                fields=["webhook", "sequence"],
                name="deliveries_to_send",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            models.Index(
                fields=["webhook"],
                name="deliveries_given_up",
                condition=Q(status=DeliveryStatus.DEAD),
            ),
            models.Index(fields=["webhook", "-created_at", "-id"], name="deliveries_newest_first"),
            models.Index(fields=["finished_at"], name="deliveries_to_forget"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.status}"

    @property
    def message_id(self) -> str:
        """What the receiver recognizes a repeat by."""
        return f"evt_{self.epoch}_{self.sequence}"

    @property
    def is_test(self) -> bool:
        return self.sequence == 0


class Preferences(models.Model):
    """How one person wants to be told. Without a row: of everything, at once, by mail."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="notification_preferences",
    )
    kinds = models.JSONField(default=dict, help_text="By kind; one that is missing: at once.")
    by_email = models.BooleanField(default=True)
    by_slack = models.BooleanField(default=True)
    digest_hour = models.PositiveSmallIntegerField(default=8)
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)

    class Meta:
        db_table = "notification_preferences"
        constraints = [
            models.CheckConstraint(condition=Q(digest_hour__lte=23), name="digest_at_an_hour"),
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"


class Notification(Delivery):
    """Something that one person is to be told, by one channel. Its text is made when it is sent."""

    #: None: for whomever a channel of the operators' reaches.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="notifications"
    )
    channel = models.CharField(max_length=20)
    recipient = models.CharField(max_length=80, help_text="`user:7`, or by a channel's own name.")
    kind = models.CharField(max_length=20)
    #: None: about the installation.
    project = models.ForeignKey(
        Project, null=True, on_delete=models.CASCADE, related_name="notifications"
    )
    key = models.CharField(max_length=80, help_text="What it is about; the same over retries.")
    epoch = models.CharField(max_length=32, blank=True, default="")
    sequence = models.PositiveBigIntegerField(null=True, help_text="Of the event.")
    batch = models.CharField(
        max_length=60, blank=True, default="", help_text="What is sent together; '' alone."
    )
    run_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "notifications"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "recipient", "key"], name="notification_once_a_recipient"
            )
        ]
        indexes = [
            models.Index(
                fields=["channel", "run_at"],
                name="notifications_to_send",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            models.Index(fields=["user", "-created_at", "-id"], name="notifications_of_a_person"),
            models.Index(
                fields=["channel"],
                name="notifications_given_up",
                condition=Q(status=DeliveryStatus.DEAD),
            ),
            models.Index(fields=["finished_at"], name="notifications_to_forget"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"


class PushSubscription(models.Model):
    """A browser in which one person is told. Its keys are of no use without PUSH_KEY_FILE."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="push_subscriptions"
    )
    endpoint = models.CharField(
        max_length=2000, unique=True, help_text="At the push service of the browser's maker."
    )
    p256dh = models.CharField(max_length=100, help_text="The browser's public key.")
    auth = models.CharField(max_length=40)
    browser = models.CharField(max_length=40, help_text="As its owner knows it again.")
    created_at = models.DateTimeField(default=timezone.now)
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "push_subscriptions"
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.browser


class LocalMail(models.Model):
    """A mail that no server took, because none is set: operators read it on a page."""

    to = models.CharField(max_length=1000)
    subject = models.CharField(max_length=1000)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "local_mails"
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.subject


class SlackAccount(models.Model):
    """Who in Slack is who here. Linked by a code from one's own page, that is typed in Slack."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="slack_account",
    )
    team = models.CharField(max_length=32, blank=True, default="")
    slack_user = models.CharField(max_length=32, blank=True, default="", help_text="'': not yet.")
    linked_at = models.DateTimeField(null=True)
    code_sha256 = models.CharField(max_length=64, blank=True, default="", editable=False)
    code_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "slack_accounts"
        constraints = [
            models.UniqueConstraint(
                fields=["team", "slack_user"],
                condition=~Q(slack_user=""),
                name="slack_account_of_one_person",
            )
        ]

    def __str__(self) -> str:
        return f"{self.slack_user} is {self.user}"
