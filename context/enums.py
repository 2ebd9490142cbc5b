from django.db import models


class Granularity(models.TextChoices):
    DOCUMENT = "document", "Document"
    SECTION = "section", "Section"
    CONCEPT = "concept", "Concept"


class SectionKind(models.TextChoices):
    """What the text of a section is."""

    #: JSON: the content with null where its other sections belong.
    OUTLINE = "outline", "Outline"
    #: JSON: a field of the content, or one item of a list.
    FIELDS = "fields", "Fields"
    #: A heading with what stands below it.
    MARKDOWN = "markdown", "Markdown"
    #: Plain text.
    TEXT = "text", "Text"
    #: A file of a program.
    CODE = "code", "Code"


class ConceptKind(models.TextChoices):
    REQUIREMENT = "requirement", "Requirement"
    DECISION = "decision", "Decision"
    QUESTION = "question", "Question"
    ENDPOINT = "endpoint", "Endpoint"
    ENTITY = "entity", "Entity"


class DerivationKind(models.TextChoices):
    """How one version came from another."""

    #: Its author had the other one at hand.
    USED = "used", "Used"
    #: It was written to replace the other one, or because of it.
    REVISED = "revised", "Revised"


class VersionStatus(models.TextChoices):
    #: Written, not signed off.
    DRAFT = "draft", "Draft"
    #: What the work goes on with.
    ACCEPTED = "accepted", "Accepted"
    #: Was accepted; a later version took its place.
    SUPERSEDED = "superseded", "Superseded"
    #: A person did not want it.
    REJECTED = "rejected", "Rejected"


class Change(models.TextChoices):
    """What became of a file or a field between two versions."""

    ADDED = "added", "Added"
    REMOVED = "removed", "Removed"
    CHANGED = "changed", "Changed"


class Need(models.TextChoices):
    """How much a step needs a piece of context."""

    #: In full, or the step fails.
    MUST = "must", "Must"
    #: Shortened where it does not fit.
    SHOULD = "should", "Should"
    #: The same, after all others.
    MAY = "may", "May"


class Form(models.TextChoices):
    """In what form a piece of context is given."""

    FULL = "full", "Full"
    SUMMARY = "summary", "Summary"
    TITLE = "title", "Title"
    #: Not at all.
    DROPPED = "dropped", "Dropped"
