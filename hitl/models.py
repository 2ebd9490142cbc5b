from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.models import Task
from api.ids import new_id
from hitl.words import OUTCOMES, Action, RequestKind, RequestStatus
from projects.models import Project
from projects.words import Phase


class RequestQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "RequestQuerySet":
        return self.filter(project__in=Project.objects.visible_to(user))

    def pending(self) -> "RequestQuerySet":
        return self.filter(status=RequestStatus.PENDING)


class HitlRequest(models.Model):
    """A question to a person, bound to exactly what it shows."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="hitl_requests")
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="hitl_requests")
    kind = models.CharField(max_length=20, choices=RequestKind)
    status = models.CharField(
        max_length=20, choices=RequestStatus, default=RequestStatus.PENDING, editable=False
    )
    title = models.CharField(max_length=300)
    step = models.CharField(max_length=100, blank=True, default="")
    phase = models.CharField(max_length=20, blank=True, default="", choices=Phase)
    agent_type = models.CharField(max_length=20)
    subject = models.JSONField(help_text="What is shown and would go on; the digest is over this.")
    subject_digest = models.CharField(max_length=64)
    previous = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="next"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        db_table = "hitl_requests"
        verbose_name = "request"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RequestStatus.values), name="request_status_known"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=RequestKind.values), name="request_kind_known"
            ),
            models.CheckConstraint(
                condition=(
                    Q(status=RequestStatus.PENDING, resolved_at__isnull=True)
                    | (~Q(status=RequestStatus.PENDING) & Q(resolved_at__isnull=False))
                ),
                name="request_resolved_iff_not_pending",
            ),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(status=RequestStatus.PENDING),
                name="request_pending_once_a_task",
            ),
            models.UniqueConstraint(
                fields=["task", "subject_digest"], name="request_once_a_subject"
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "-created_at"],
                name="requests_pending",
                condition=Q(status="pending"),
            ),
            models.Index(fields=["project", "-created_at"], name="requests_of_a_project"),
            models.Index(fields=["-created_at", "-id"], name="requests_newest_first"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_pending(self) -> bool:
        return self.status == RequestStatus.PENDING

    def resolve(self, action: Action) -> None:
        self.close(OUTCOMES[action])

    def close(self, status: RequestStatus) -> None:
        """Final. The caller holds the lock and has seen that it is pending."""
        if not self.is_pending:
            raise RuntimeError(f"request {self.pk} is {self.status}, not pending")
        self.status, self.resolved_at = status, timezone.now()


class Decision(models.Model):
    """What a person said, when, through which channel, and about exactly what. Immutable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(HitlRequest, on_delete=models.CASCADE, related_name="decisions")
    action = models.CharField(max_length=20, choices=Action)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions"
    )
    comment = models.TextField(blank=True, default="")
    content = models.JSONField(null=True, blank=True)
    subject_digest = models.CharField(max_length=64)
    channel = models.CharField(max_length=20)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "hitl_decisions"
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(action__in=Action.values), name="decision_action_known"
            ),
            models.UniqueConstraint(
                fields=["request", "decided_by"], name="decision_once_a_person"
            ),
            models.CheckConstraint(
                condition=~Q(action__in=["reject", "request_changes"]) | ~Q(comment=""),
                name="decision_comment_where_it_is_needed",
            ),
            models.CheckConstraint(
                condition=~Q(action__in=["amend", "answer"]) | Q(content__isnull=False),
                name="decision_content_where_it_is_needed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.decided_by}"
