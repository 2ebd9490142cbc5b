from django.db import models


class ProjectStatus(models.TextChoices):
    DRAFT = "draft", "not started"
    ACTIVE = "active", "agents are at work or a person is asked"
    PAUSED = "paused", "held by a person; nothing new starts"
    COMPLETED = "completed", "every step is done"
    FAILED = "failed", "stopped; the reason says why"
    CANCELLED = "cancelled", "given up by a person; final"


class Role(models.TextChoices):
    OWNER = "owner", "may do everything"
    APPROVER = "approver", "may read and decide"
    VIEWER = "viewer", "may read"


class OversightLevel(models.TextChoices):
    HIGH = "high", "a person signs off every plan and every result"
    MEDIUM = "medium", "a person signs off every result"
    LOW = "low", "a person is asked only for clarifications and escalations"


class Phase(models.TextChoices):
    DISCOVERY = "discovery"
    PLAN = "plan"
    DESIGN = "design"
    BUILD = "build"
    VALIDATE = "validate"
    LAUNCH = "launch"


class AgentType(models.TextChoices):
    ORCHESTRATOR = "orchestrator", "plans and follows the run"
    ANALYST = "analyst", "turns the brief into a plan and a specification"
    ARCHITECT = "architect", "designs the system and the order of work"
    CODER = "coder", "writes the program"
    TESTER = "tester", "runs the tests and judges"
    DEPLOYER = "deployer", "packs the product"
