from django.db import models
from django.db.models import Q

from context.enums import ConceptKind, SectionKind
from context.models.artifacts import ArtifactVersion
from projects.models import Project


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


class Section(models.Model):
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
    # Said again, so that the index of the search can tell projects apart.
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


class Concept(models.Model):
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
