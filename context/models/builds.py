from django.db import models

from core.ids import new_id
from projects.agent_types import agent_type_choices
from projects.models import Project


class ContextBuild(models.Model):
    """What one attempt of a task was given of the store, and why. Never changes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    task = models.UUIDField()
    attempt = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    step = models.CharField(max_length=100, blank=True, default="")
    agent_type = models.CharField(max_length=20, choices=agent_type_choices)
    model = models.CharField(max_length=200, help_text="As the settings name it.")
    budget = models.PositiveIntegerField(help_text="Tokens, by our estimate.")
    base_tokens = models.PositiveIntegerField(help_text="Brief, instructions, answers, comments.")
    tokens = models.PositiveIntegerField(help_text="Of what was chosen.")
    items = models.JSONField(help_text="Each thing that was considered, in order.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Over what was chosen.")
    error_code = models.CharField(max_length=50, blank=True, default="")
    error_detail = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "context_builds"
        ordering = ["task", "fence"]
        constraints = [
            models.UniqueConstraint(fields=["task", "fence"], name="context_build_once_a_claim"),
            models.CheckConstraint(
                condition=models.Q(base_tokens__lte=models.F("budget") - models.F("tokens"))
                | ~models.Q(error_code=""),
                name="context_build_within_budget",
            ),
        ]
        indexes = [models.Index(fields=["project", "-created_at"], name="builds_of_a_project")]

    def __str__(self) -> str:
        return f"{self.step or self.agent_type} {self.created_at}"
