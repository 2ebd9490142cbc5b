from django.db import models

from projects.agent_types import agent_types


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


class _Registered(type):
    @property
    def values(cls) -> list[str]:
        return agent_types.values


class AgentType(str, metaclass=_Registered):
    """Goes when nothing imports it any more: use `projects.agent_types`."""
