from django.db import models
from django.db.models.functions import Now

from projects.models import Project


class ModelExchange(models.Model):
    """What one request to a provider said, and the answer to it: prompts, texts, calls of tools.

    Kept for some days, for people who look for what went wrong; the work needs none of it.
    """

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    task = models.UUIDField()
    fence = models.PositiveIntegerField()
    provider = models.CharField(max_length=50)
    model = models.CharField(max_length=200)
    # JSON, as text: it is read as a whole, and keeps what JSON columns refuse.
    request = models.TextField(help_text="What was new in it: earlier ones have the rest.")
    response = models.TextField(blank=True, default="")
    error_code = models.CharField(max_length=100, blank=True, default="")
    error_detail = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "model_exchanges"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["task", "fence"], name="exchanges_of_an_attempt"),
            models.Index(fields=["created_at"], name="exchanges_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"
