from django.db import models
from django.db.models import Q

from agents.enums import ToolOutcome
from agents.models.work import Task


class ModelRun(models.Model):
    """What an agent that uses tools and its model have said so far, for one artifact.

    Kept after each turn, so that any worker can go on from there; emptied once the work is handed
    in. The texts are JSON: of what a model writes not everything would fit into a JSON column.
    """

    # Looked up by `model_run_once_a_work`.
    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="runs", db_index=False)
    work_key = models.CharField(max_length=100, help_text="An answer or a comment begins anew.")
    artifact_type = models.CharField(max_length=50)
    messages = models.TextField(blank=True, default="", help_text="As the provider's library has.")
    calls = models.TextField(blank=True, default="", help_text="Of the last answer, not done yet.")
    results = models.TextField(blank=True, default="", help_text="What its calls brought, by id.")
    approvals = models.TextField(blank=True, default="", help_text="What became of those, by id.")
    note = models.TextField(blank=True, default="", help_text="Our own word with the results.")
    turns = models.PositiveIntegerField(default=0)
    rejections = models.PositiveIntegerField(default=0, help_text="Of what was handed in.")
    tokens = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="Of models and tools, without waiting.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "model_runs"
        ordering = ["task", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "work_key", "artifact_type"], name="model_run_once_a_work"
            )
        ]

    def __str__(self) -> str:
        return f"{self.artifact_type} after {self.turns} turns"


class WorkspaceFile(models.Model):
    """One version of a file in the workspace of a task; the newest of each path is what counts."""

    # Looked up by `workspace_file_once_a_number`.
    task = models.ForeignKey(
        Task, on_delete=models.CASCADE, related_name="workspace_files", db_index=False
    )
    path = models.CharField(max_length=200)
    number = models.PositiveIntegerField()
    content = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64)
    is_deleted = models.BooleanField(default=False)
    fence = models.PositiveIntegerField(help_text="The attempt that wrote it.")
    turn = models.PositiveIntegerField(help_text="0: as the attempt found it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "workspace_files"
        ordering = ["task", "path", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "path", "number"], name="workspace_file_once_a_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.path}, version {self.number}"


class ToolUse(models.Model):
    """One call of a tool by a model, and what came of it. Kept with its attempt."""

    # Looked up by `tool_use_once_a_number`.
    task = models.ForeignKey(
        Task, on_delete=models.CASCADE, related_name="tool_uses", db_index=False
    )
    number = models.PositiveIntegerField(help_text="Of the task, from 1.")
    fence = models.PositiveIntegerField(help_text="The attempt that did it.")
    turn = models.PositiveIntegerField()
    name = models.CharField(max_length=100)
    arguments = models.TextField(help_text="JSON.")
    arguments_sha256 = models.CharField(max_length=64)
    outcome = models.CharField(max_length=20, choices=ToolOutcome)
    result = models.TextField(blank=True, help_text="As the model was told.")
    duration_ms = models.PositiveIntegerField()
    action = models.UUIDField(null=True, blank=True, help_text="By which it was allowed or not.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "tool_uses"
        ordering = ["task", "number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="tool_use_once_a_number"),
            models.CheckConstraint(
                condition=Q(outcome__in=ToolOutcome.values), name="tool_use_outcome_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome}"
