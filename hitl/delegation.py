"""Who is away, and who decides for them meanwhile."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from core.ids import new_id
from projects.models import Project


class DelegationQuerySet(models.QuerySet):
    def in_force(self) -> "DelegationQuerySet":
        """Somebody decides for somebody who is away now, and still has an account."""
        return self.current().filter(
            delegate__isnull=False, delegator__is_active=True, starts_at__lte=Now()
        )

    def current(self) -> "DelegationQuerySet":
        """Neither over nor ended; it may be still to come, and nobody may stand in."""
        return self.filter(ended_at=None, ends_at__gt=Now())


class Delegation(models.Model):
    """A member is away; another one, where they named one, may decide for them in the project."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="delegations")
    delegator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_given"
    )
    delegate = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="delegations_taken",
        help_text="Null: nobody stands in.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Ended before its time.")

    objects = DelegationQuerySet.as_manager()

    class Meta:
        db_table = "hitl_delegations"
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="delegation_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(delegate=None) | ~Q(delegate=F("delegator")),
                name="delegation_is_to_somebody_else",
            ),
        ]
        indexes = [
            models.Index(
                fields=["delegate", "ends_at"],
                name="delegations_to_a_person",
                condition=Q(ended_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.delegator} until {self.ends_at:%Y-%m-%d}"


def delegations_to(user: Any, project_id: UUID | None = None) -> list[Delegation]:
    """For whom this person may decide now. Never for whom those stand in: nothing is handed on."""
    rows = Delegation.objects.in_force().filter(delegate=user)
    if project_id is not None:
        rows = rows.filter(project=project_id)
    return list(rows.select_related("delegator").order_by("starts_at", "id"))
