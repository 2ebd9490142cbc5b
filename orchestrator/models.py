from django.conf import settings
from django.db import models
from django.db.models import Q

from core.ids import new_id
from projects.models import Project


class Workflow(models.Model):
    """A workflow of the installation's own, in its newest version; those that ship are files."""

    name = models.CharField(max_length=50, primary_key=True)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    definition = models.JSONField()
    sha256 = models.CharField(max_length=64, help_text="Over the canonical JSON of the definition.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "workflows"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title


class WorkflowRun(models.Model):
    """A project's run. Its definition is pinned: editing the file later does not change it."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="run")
    workflow = models.CharField(max_length=100)
    definition = models.JSONField()
    definition_hash = models.CharField(max_length=64)
    loops = models.JSONField(default=dict, help_text="Automatic rewinds so far, by failing step.")
    feedback = models.JSONField(default=dict, help_text="What people asked for, by step.")
    is_rewound = models.BooleanField(default=False, help_text="Some step has had a round before.")
    brief_artifact = models.UUIDField(null=True, blank=True, help_text="The brief that is pinned.")
    brief_version = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    #: The SHA-256 of the pinned brief, where the engine has read it.
    brief_sha256 = ""

    class Meta:
        db_table = "workflow_runs"
        constraints = [
            models.CheckConstraint(
                condition=Q(brief_artifact__isnull=True, brief_version__isnull=True)
                | Q(brief_artifact__isnull=False, brief_version__isnull=False),
                name="run_pins_a_version_of_a_brief",
            )
        ]

    def __str__(self) -> str:
        return f"{self.workflow} of {self.project}"


class AssembledDocument(models.Model):
    """The last document of each form, kept because rendering is slow; it can be made again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    form = models.CharField(max_length=10)
    source_sha256 = models.CharField(max_length=64, help_text="Over what it was made of.")
    body = models.BinaryField()
    seal = models.CharField(
        max_length=64, default="", db_default="", help_text="An HMAC; without it, it is made anew."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "assembled_documents"
        constraints = [
            models.UniqueConstraint(fields=["project", "form"], name="document_once_a_form")
        ]

    def __str__(self) -> str:
        return f"{self.project_id} as {self.form}"


class DocumentJob(models.Model):
    """A document that a worker makes because it takes long; the row goes when it is kept."""

    class Error(models.TextChoices):
        #: It took too much time or memory.
        TOO_LARGE = "too_large"
        #: The worker's log says why.
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    form = models.CharField(max_length=10)
    source_sha256 = models.CharField(max_length=64, help_text="Over what it is made of.")
    enqueued_at = models.DateTimeField(
        null=True, help_text="Null: enqueue it when it is asked for."
    )
    failed_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=10, blank=True, default="", choices=Error)

    class Meta:
        db_table = "document_jobs"
        constraints = [
            models.UniqueConstraint(fields=["project", "form"], name="document_job_once_a_form")
        ]

    def __str__(self) -> str:
        return f"{self.project_id} as {self.form}"


class ProjectImport(models.Model):
    """Where an imported project came from, and who imported it."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="origin")
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    imported_at = models.DateTimeField(auto_now_add=True)
    origin_project = models.CharField(max_length=100)
    origin_name = models.CharField(max_length=200)
    origin_status = models.CharField(max_length=50)
    archive_sha256 = models.CharField(max_length=64)
    trail_events = models.PositiveIntegerField(help_text="Events of the old log that hold.")
    trail_head_hash = models.CharField(max_length=64, blank=True, default="")
    trail_broken_at = models.PositiveIntegerField(
        null=True, help_text="The first event of the old log that does not hold; none if all do."
    )

    is_verified = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether a signed checkpoint of the other installation vouches for its log.",
    )

    class Meta:
        db_table = "project_imports"

    def __str__(self) -> str:
        return f"{self.origin_name} as {self.project_id}"


class ImportedFile(models.Model):
    """The manifest and the log of an imported project, as they came."""

    origin = models.ForeignKey(ProjectImport, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=500)
    sha256 = models.CharField(max_length=64, help_text="Of the file itself.")
    body = models.BinaryField(help_text="Compressed by gzip.")

    class Meta:
        db_table = "imported_files"
        constraints = [
            models.UniqueConstraint(fields=["origin", "path"], name="imported_file_once")
        ]

    def __str__(self) -> str:
        return self.path
