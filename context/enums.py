from django.db import models


class ArtifactType(models.TextChoices):
    USER_INPUT = "user_input", "what a person handed in: the brief, a file, an amendment"
    PROJECT_PLAN = "project_plan"
    SOFTWARE_SPECIFICATION = "software_specification"
    SYSTEM_ARCHITECTURE = "system_architecture"
    IMPLEMENTATION_PLAN = "implementation_plan"
    SOURCE_CODE = "source_code"
    TEST_RESULTS = "test_results"
    DEPLOYMENT_LOG = "deployment_log"
    DEPLOYMENT_PACKAGE = "deployment_package"
    AGENT_OUTPUT = "agent_output", "what an agent wrote that is none of the others"
    HITL_RESPONSE = "hitl_response", "what a person answered"


class Granularity(models.TextChoices):
    DOCUMENT = "document"
    SECTION = "section"
    CONCEPT = "concept"


class SectionKind(models.TextChoices):
    """What the text of a section is."""

    OUTLINE = "outline", "JSON: the content with null where its other sections belong"
    FIELDS = "fields", "JSON: a field of the content, or one item of a list"
    MARKDOWN = "markdown", "a heading with what stands below it"
    TEXT = "text", "plain text"
    CODE = "code", "a file of a program"


class ConceptKind(models.TextChoices):
    REQUIREMENT = "requirement"
    DECISION = "decision"
    QUESTION = "question"
    ENDPOINT = "endpoint"
    ENTITY = "entity"


class DerivationKind(models.TextChoices):
    """How one version came from another."""

    USED = "used", "its maker had the other one at hand"
    REVISED = "revised", "it was written to replace the other one, or because of it"


class VersionStatus(models.TextChoices):
    DRAFT = "draft", "written, not signed off"
    ACCEPTED = "accepted", "what the work goes on with"
    SUPERSEDED = "superseded", "was accepted; a later version took its place"
    REJECTED = "rejected", "a person did not want it"


class Change(models.TextChoices):
    """What became of a file or a field between two versions."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Need(models.TextChoices):
    """How much a step needs a piece of context."""

    MUST = "must", "in full, or the step fails"
    SHOULD = "should", "shortened where it does not fit"
    MAY = "may", "the same, after all others"


class Form(models.TextChoices):
    """In what form a piece of context is given."""

    FULL = "full"
    SUMMARY = "summary"
    TITLE = "title"
    DROPPED = "dropped", "not at all"
