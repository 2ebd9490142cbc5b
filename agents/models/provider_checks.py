from django.db import models
from django.db.models import Q


class ProviderCheck(models.Model):
    """How a model provider answered when somebody had it called on purpose, outside of any work."""

    provider = models.CharField(primary_key=True, max_length=50)
    succeeded_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(
        max_length=100, blank=True, default="", help_text="Of the last failure."
    )

    class Meta:
        db_table = "provider_checks"
        ordering = ["provider"]
        constraints = [
            models.CheckConstraint(
                condition=Q(failed_at__isnull=True, error_code="")
                | (Q(failed_at__isnull=False) & ~Q(error_code="")),
                name="check_failed_with_a_code",
            ),
        ]

    def __str__(self) -> str:
        return f"check of {self.provider}"
