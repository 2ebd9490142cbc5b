from django.db import models

from projects.models import Project


class WorkflowRun(models.Model):
    """A project's run. The definition is pinned: a later edit of the file changes no run."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="run")
    workflow = models.CharField(max_length=100)
    definition = models.JSONField()
    definition_hash = models.CharField(max_length=64)
    loops = models.JSONField(default=dict, help_text="Automatic rewinds so far, by failing step.")
    feedback = models.JSONField(default=dict, help_text="What people asked for, by step.")
    is_rewound = models.BooleanField(default=False, help_text="Some step has had a round before.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "workflow_runs"

    def __str__(self) -> str:
        return f"{self.workflow} of {self.project}"
