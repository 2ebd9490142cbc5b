"""What people arrange for themselves on the pages."""

from django.conf import settings
from django.db import models

FILTERS_MAX = 30


class SavedFilter(models.Model):
    """A choice of requests in the inbox, by name. Each person has their own."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1_000, help_text="As in the inbox's address.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "inbox_filters"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="inbox_filter_once_a_name")
        ]

    def __str__(self) -> str:
        return self.name
