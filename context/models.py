"""Artifacts and their versions, the parts of these, and where they come from."""

import hashlib
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property
from rfc8785 import CanonicalizationError

from audit.canonical import canonical
from audit.erasure import ERASED_DATA
from context.artifact_types import artifact_type_choices
from context.enums import ConceptKind, DerivationKind, Granularity, SectionKind, VersionStatus
from context.parts import join_sections
from core.ids import new_id
from projects.agent_types import AgentTypeField, agent_type_choices
from projects.integrity import ContentChanged
from projects.models import Project

JOINED = ("pointer", "kind", "body__text")
# What sections that no longer fit together raise, and JSON that nobody of us has written.
UNREADABLE = (CanonicalizationError, ValueError, TypeError, LookupError, RecursionError)


def sha256_of(content: Any) -> str:
    """Of its canonical JSON; '' for what has none."""
    try:
        return hashlib.sha256(canonical(content)).hexdigest()
    except UNREADABLE:
        return ""


class ArtifactQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> "ArtifactQuerySet":
        return self.filter(project__in=Project.objects.visible_to(user))


class Artifact(models.Model):
    """A thing the work produces, through all its versions."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # Looked up by the longer index `artifacts_of_a_type`.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="artifacts", db_index=False
    )
    artifact_type = models.CharField(max_length=30, choices=artifact_type_choices)
    granularity = models.CharField(max_length=10, choices=Granularity, default=Granularity.DOCUMENT)
    title = models.CharField(max_length=300)
    source_agent = AgentTypeField(max_length=20, blank=True, default="", choices=agent_type_choices)
    step = models.CharField(max_length=100, blank=True, default="")
    task = models.UUIDField(null=True, blank=True, help_text="The task that made the last version.")
    version = models.PositiveIntegerField(default=0, help_text="The last version's number.")
    accepted_version = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        db_table = "context_artifacts"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(granularity__in=Granularity.values), name="artifact_granularity_known"
            ),
            models.CheckConstraint(
                condition=Q(accepted_version__isnull=True) | Q(accepted_version__lte=F("version")),
                name="artifact_accepted_version_exists",
            ),
            models.UniqueConstraint(
                fields=["project", "step", "artifact_type"],
                condition=~Q(step=""),
                name="artifact_once_a_step_and_type",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "artifact_type"], name="artifacts_of_a_type"),
            models.Index(fields=["-created_at", "-id"], name="artifacts_newest_first"),
            models.Index(fields=["task"], name="artifacts_of_a_task"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (version {self.version})"


class ArtifactVersion(models.Model):
    """Immutable content. Only the status moves."""

    # Looked up by `version_number_once`.
    artifact = models.ForeignKey(
        Artifact, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField()
    # Older code, and rows that fit, have the content here; else the sections give it back.
    inline_content = models.JSONField(null=True, blank=True, db_column="content")
    sha256 = models.CharField(max_length=64, help_text="Over the canonical JSON of the content.")
    status = models.CharField(max_length=10, choices=VersionStatus, default=VersionStatus.DRAFT)
    source_agent = AgentTypeField(max_length=20, blank=True, default="", choices=agent_type_choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    task = models.UUIDField(null=True, blank=True)
    attempt = models.PositiveIntegerField(null=True, blank=True)
    fence = models.PositiveIntegerField(null=True, blank=True)
    provider = models.CharField(max_length=50, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    prompt_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Over all that the model was given; empty where no model was asked.",
    )
    decision = models.UUIDField(
        null=True, blank=True, help_text="The decision by which a person wrote it."
    )
    comment = models.TextField(blank=True, default="")
    imported = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="What another installation says of it; null for what was made here.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "context_artifact_versions"
        ordering = ["artifact", "number"]
        constraints = [
            models.UniqueConstraint(fields=["artifact", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["artifact", "task", "fence"],
                condition=Q(task__isnull=False) & Q(fence__isnull=False),
                name="version_once_an_attempt",
            ),
            models.UniqueConstraint(
                fields=["artifact"],
                condition=Q(status=VersionStatus.ACCEPTED),
                name="version_accepted_once_an_artifact",
            ),
            models.CheckConstraint(
                condition=Q(status__in=VersionStatus.values), name="version_status_known"
            ),
            models.CheckConstraint(
                condition=Q(source_agent="", author__isnull=False)
                | (~Q(source_agent="") & Q(author__isnull=True)),
                name="version_by_an_agent_or_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.artifact_id} version {self.number}"

    @cached_property
    def content(self) -> dict[str, Any]:
        """Raises ContentChanged where it is not what `sha256` is over."""
        content = self.inline_content
        if content is None:
            content = self.joined_sections
        found = sha256_of(content)
        if found == self.sha256:
            return content
        if self.artifact.project.erased_at is not None:
            return ERASED_DATA
        raise self.changed("content", found)

    @property
    def joined_sections(self) -> Any:
        """What its sections give back; None where they no longer fit together."""
        try:
            return join_sections(self.sections.order_by("position").values_list(*JOINED))
        except UNREADABLE:
            return None

    def check_sections(self) -> None:
        """Raises ContentChanged where the sections beside a content no longer give it back."""
        if self.inline_content is None:
            return
        found = sha256_of(self.joined_sections)
        if found != self.sha256:
            raise self.changed("part", found)

    def changed(self, what: str, found: str, expected: str = "", **where: Any) -> ContentChanged:
        artifact = self.artifact
        return ContentChanged(
            what,
            f"Version {self.number} of “{artifact.title}”",
            project=artifact.project_id,
            expected=expected or self.sha256,
            found=found,
            artifact=str(artifact.pk),
            version=self.number,
            **where,
        )

    @property
    def is_intact(self) -> bool:
        try:
            self.content  # noqa: B018 - it is checked as it is read
        except ContentChanged:
            return False
        return True

    @cached_property
    def difference(self) -> ContentChanged | None:
        """Why its content cannot be shown; it is recorded."""
        try:
            self.content  # noqa: B018 - it is checked as it is read
        except ContentChanged as error:
            error.note()
            return error
        return None

    @property
    def shown_content(self) -> dict[str, Any] | None:
        """None where there is a `difference`: nothing untrue is shown."""
        return None if self.difference else self.content

    @property
    def is_by_person(self) -> bool:
        return self.source_agent == ""

    @property
    def claims(self) -> dict[str, Any] | None:
        """What the installation that it comes from says of it; None for what was made here.

        Older releases stored such words as if they were facts: no agent here writes without a task.
        """
        if self.imported is not None or self.is_by_person or self.task is not None:
            return self.imported
        return {
            "version": "",
            "status": self.status,
            "made_by": self.source_agent,
            "provider": self.provider,
            "model": self.model,
            "is_verified": False,
        }

    @property
    def claimed_maker(self) -> str:
        """Who made it, by the word of another installation: `coder, openai:gpt-5`."""
        claims = self.claims or {}
        served_by = ":".join(filter(None, (claims["provider"], claims["model"])))
        return ", ".join(filter(None, (claims["made_by"], served_by)))


class Body(models.Model):
    """The text of sections and concepts, stored once a project however many versions have it."""

    # The index below begins with it.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    sha256 = models.CharField(max_length=64, help_text="Over the UTF-8 bytes of the text.")
    text = models.TextField()
    tokens = models.PositiveIntegerField(help_text="About how many tokens a model makes of it.")

    class Meta:
        db_table = "context_bodies"
        # A search begins with the newest text that its caller may see.
        indexes = [models.Index(fields=["project", "id"], name="bodies_by_project_and_age")]
        constraints = [
            models.UniqueConstraint(fields=["project", "sha256"], name="body_once_a_project")
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class Part(models.Model):
    """What sections and concepts have in common: a text, stored once a project."""

    class Meta:
        abstract = True

    @property
    def text(self) -> str:
        """Raises ContentChanged where it is not what the body's `sha256` is over."""
        found = hashlib.sha256(self.body.text.encode()).hexdigest()
        if found != self.body.sha256:
            raise self.version.changed("part", found, self.body.sha256, part=self.name)
        return self.body.text


class Section(Part):
    """A part of a version by its structure; all of them, in order, give back the content."""

    # The unique index below begins with it.
    version = models.ForeignKey(
        ArtifactVersion, on_delete=models.CASCADE, related_name="sections", db_index=False
    )
    position = models.PositiveSmallIntegerField(help_text="From 0.")
    pointer = models.CharField(
        max_length=300, blank=True, help_text="Where in the content it belongs: RFC 6901."
    )
    path = models.CharField(max_length=500, help_text="Its name in the version.")
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=10, choices=SectionKind)
    body = models.ForeignKey(Body, on_delete=models.RESTRICT, related_name="sections")
    # Repeated here, so that the search index can filter by project.
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        db_index=False,
    )

    class Meta:
        db_table = "context_sections"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position"], name="section_position_once"),
            models.CheckConstraint(
                condition=Q(kind__in=SectionKind.values), name="section_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        return self.path


class Concept(Part):
    """A single requirement, decision, question, endpoint or entity that a version names."""

    # The unique index below begins with it.
    version = models.ForeignKey(
        ArtifactVersion, on_delete=models.CASCADE, related_name="concepts", db_index=False
    )
    position = models.PositiveSmallIntegerField(help_text="From 0.")
    kind = models.CharField(max_length=12, choices=ConceptKind)
    identifier = models.CharField(max_length=200, help_text="The same in every version.")
    title = models.CharField(max_length=300)
    body = models.ForeignKey(Body, on_delete=models.RESTRICT, related_name="concepts")
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
        db_index=False,
    )

    class Meta:
        db_table = "context_concepts"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "identifier"], name="concept_once_a_version"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=ConceptKind.values), name="concept_kind_known"
            ),
        ]
        indexes = [models.Index(fields=["identifier"], name="concepts_of_an_identifier")]

    def __str__(self) -> str:
        return self.identifier

    @property
    def name(self) -> str:
        return self.identifier


class Derivation(models.Model):
    """`derived` was made from `source` (PROV: wasDerivedFrom). Written with the derived version."""

    # Looked up by `derivation_once`.
    derived = models.ForeignKey(
        ArtifactVersion, on_delete=models.CASCADE, related_name="derivations", db_index=False
    )
    source = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="uses")
    kind = models.CharField(max_length=10, choices=DerivationKind)

    class Meta:
        db_table = "context_derivations"
        ordering = ["derived", "source"]
        constraints = [
            models.UniqueConstraint(fields=["derived", "source"], name="derivation_once"),
            # Versions are numbered as they are written, so nothing can come of itself.
            models.CheckConstraint(
                condition=Q(source__lt=F("derived")), name="derivation_from_an_older_version"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=DerivationKind.values), name="derivation_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.derived_id} {self.kind} {self.source_id}"


class ContextBuild(models.Model):
    """What one attempt of a task was given of the store, and why. Never changes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    task = models.UUIDField()
    attempt = models.PositiveIntegerField()
    fence = models.PositiveIntegerField()
    step = models.CharField(max_length=100, blank=True, default="")
    agent_type = AgentTypeField(max_length=20, choices=agent_type_choices)
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
