from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from agents.providers.endpoints import KINDS, OUTPUTS, TOOLS
from projects.models import Project


class ModelEndpoint(models.Model):
    """Where models are served for one project, with a key of its owner's."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="model_endpoints", db_index=False
    )
    name = models.CharField(max_length=30, help_text="Before the colon of a model's name.")
    speaks = models.CharField(max_length=20, choices=[(kind, kind) for kind in KINDS])
    base_url = models.CharField(max_length=500, blank=True, default="")
    output = models.CharField(
        max_length=10, choices=[(output, output) for output in OUTPUTS], default=TOOLS
    )
    # Key and headers, which may hold keys, too.
    encrypted_secret = models.TextField(blank=True, default="")
    header_names = models.JSONField(default=list)
    has_key = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())
    test_model = models.CharField(max_length=200, blank=True, default="")
    test_asked_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_error_code = models.CharField(max_length=100, blank=True, default="")
    test_error_detail = models.TextField(blank=True, default="")

    class Meta:
        db_table = "model_endpoints"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="endpoint_once_a_project"),
        ]

    def __str__(self) -> str:
        return self.name
