from django.conf import settings
from django.db import models
from django.db.models import Q

from core.ids import new_id
from hitl.actions.registry import action_choices
from hitl.models.requests import HitlRequest


class Decision(models.Model):
    """What a person said, when, through which channel, and about exactly what. Immutable."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(HitlRequest, on_delete=models.CASCADE, related_name="decisions")
    action = models.CharField(max_length=20, choices=action_choices)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions"
    )
    comment = models.TextField(blank=True, default="")
    content = models.JSONField(null=True, blank=True)
    subject_digest = models.CharField(max_length=64)
    channel = models.CharField(max_length=20)
    is_break_glass = models.BooleanField(
        default=False, db_default=False, help_text="Past the rules, for the reason in the comment."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "hitl_decisions"
        ordering = ["created_at", "id"]
        constraints = [
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
            models.CheckConstraint(
                condition=Q(is_break_glass=False) | ~Q(comment=""),
                name="decision_past_the_rules_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.decided_by}"
