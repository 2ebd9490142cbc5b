from django.db import models


class ProjectStatus(models.TextChoices):
    #: Not started.
    DRAFT = "draft", "Draft"
    #: Agents are at work or a person is asked.
    ACTIVE = "active", "Active"
    #: Held by a person; nothing new starts.
    PAUSED = "paused", "Paused"
    #: Every step is done.
    COMPLETED = "completed", "Completed"
    #: Stopped; the reason says why.
    FAILED = "failed", "Failed"
    #: Given up by a person; final.
    CANCELLED = "cancelled", "Cancelled"


class Role(models.TextChoices):
    #: May do everything.
    OWNER = "owner", "Owner"
    #: May read and decide.
    APPROVER = "approver", "Approver"
    #: May read.
    VIEWER = "viewer", "Viewer"


class OversightLevel(models.TextChoices):
    #: A person signs off every plan and every result.
    HIGH = "high", "High"
    #: A person signs off every result.
    MEDIUM = "medium", "Medium"
    #: A person is asked only for clarifications and escalations.
    LOW = "low", "Low"


#: The workflow without steps: the project is active until an owner completes or cancels it.
NO_WORKFLOW = "none"


class Phase(models.TextChoices):
    DISCOVERY = "discovery", "Discovery"
    PLAN = "plan", "Plan"
    DESIGN = "design", "Design"
    BUILD = "build", "Build"
    VALIDATE = "validate", "Validate"
    LAUNCH = "launch", "Launch"


class CredentialScope(models.TextChoices):
    """What an agent that runs elsewhere may do in its project. It never decides or manages."""

    #: Ask for approval of its actions, claim them and report how they ended.
    ASK = "ask", "Ask"
    #: Take tasks of the project and bring their results.
    WORK = "work", "Work"
    #: Read what a viewer reads.
    READ = "read", "Read"
