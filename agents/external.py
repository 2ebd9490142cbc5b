"""Types of agents whose work is done by workers that run elsewhere: their model is `external`."""

from typing import Any

from agents.providers import EXTERNAL, configured_models
from projects.agent_types import agent_types
from projects.models import AgentCredential, Project

#: Begins the name of a worker that runs elsewhere, as a task knows it.
PREFIX = f"{EXTERNAL}:"


def models_in(project: Project) -> dict[str, str]:
    """The model that serves each agent in a project, which may say otherwise than everywhere."""
    own = {name: model for name, model in project.agent_models.items() if model}
    return configured_models() | own


def model_of(project: Project, agent_type: str) -> str:
    return models_in(project).get(agent_type, "")


def external_types(project: Project) -> list[str]:
    """Served from outside in this project."""
    models = models_in(project)
    return [name for name in agent_types.values if models.get(name) == EXTERNAL]


def outside_parameters() -> dict[str, Any]:
    """Of `is_external`: the types that are left to workers that run elsewhere in all projects."""
    models = configured_models()
    return {"external_types": [name for name in models if models[name] == EXTERNAL]}


def prefix_of(credential: AgentCredential) -> str:
    """Begins the names of all workers of a credential."""
    return f"{PREFIX}{credential.pk.hex}:"


def worker_name(credential: AgentCredential, name: str) -> str:
    """As tasks and acknowledgements of stops name a worker that runs elsewhere."""
    return f"{prefix_of(credential)}{credential.name[:30]}:{name}"
