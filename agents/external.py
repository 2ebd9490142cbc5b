"""Types of agents whose work is done by workers that run elsewhere: their model is `external`."""

from typing import Any

from django.conf import settings

from agents.providers import EXTERNAL
from projects.agent_types import agent_types
from projects.models import AgentCredential, Project

#: Begins the name of a worker that runs elsewhere, as a task knows it.
PREFIX = f"{EXTERNAL}:"


def model_of(project: Project, agent_type: str) -> str:
    """The model that serves an agent in a project, which may say otherwise than the settings."""
    return project.agent_models.get(agent_type) or settings.AGENT_MODELS.get(agent_type) or ""


def external_types(project: Project) -> list[str]:
    """Served from outside in this project."""
    return [name for name in agent_types.values if model_of(project, name) == EXTERNAL]


def outside_parameters() -> dict[str, Any]:
    """Of `is_external`: the types that the settings leave to workers that run elsewhere."""
    models = settings.AGENT_MODELS
    return {"external_types": [name for name in models if models[name] == EXTERNAL]}


def prefix_of(credential: AgentCredential) -> str:
    """Begins the names of all workers of a credential."""
    return f"{PREFIX}{credential.pk.hex}:"


def worker_name(credential: AgentCredential, name: str) -> str:
    """As tasks and acknowledgements of stops name a worker that runs elsewhere."""
    return f"{prefix_of(credential)}{credential.name[:30]}:{name}"
