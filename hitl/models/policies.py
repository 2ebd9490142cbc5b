from django.db import models
from django.db.models import Q

from hitl.enums import OnTimeout
from projects.models import Project

APPROVALS_MAX = 50


class Policy(models.Model):
    """How a project decides. Without a row the defaults of the settings hold."""

    project = models.OneToOneField(
        Project, primary_key=True, on_delete=models.CASCADE, related_name="hitl_policy"
    )
    prevent_self_approval = models.BooleanField()
    answers_count_as_content = models.BooleanField(
        help_text="Who answered an agent's questions wrote of what it made of them."
    )
    required_approvals = models.PositiveSmallIntegerField()
    roles_by_kind = models.JSONField(default=dict, help_text="{kind: [role]}; else all who decide.")
    roles_by_phase = models.JSONField(default=dict, help_text="{phase: [role]}")
    # Seconds from when a request is opened; null: never.
    remind_after = models.PositiveIntegerField(null=True, blank=True)
    due_after = models.PositiveIntegerField(null=True, blank=True)
    expire_after = models.PositiveIntegerField(null=True, blank=True)
    on_timeout = models.CharField(max_length=10, choices=OnTimeout)
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "hitl_policies"
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(required_approvals__gte=1, required_approvals__lte=APPROVALS_MAX),
                name="policy_asks_for_1_to_50_approvals",
            ),
            models.CheckConstraint(
                condition=Q(on_timeout__in=OnTimeout.values), name="policy_on_timeout_known"
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {self.project_id}"
