"""Which model serves which agent. Importing this loads no provider library: a job does that."""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from agents.protocols import Model, PermanentError, Usage
from agents.providers.endpoints import Endpoint, endpoint_named
from agents.providers.options import options_of
from projects.agent_types import agent_types

logger = logging.getLogger(__name__)

DEMO = "demo"
# No model of ours: the tasks wait for a worker that runs elsewhere.
EXTERNAL = "external"
# Providers of ours, by prefix; the demo model serves where no key is set.
OWN = {DEMO: "agents.providers.demo.DemoModel"}
# The length of its column; models need Django's apps, and this module does not.
PROVIDER_LENGTH = 50
CONNECT = (
    "To connect a real model, set MODEL_DEFAULT (say, to openai-chat:NAME) and its key; "
    "docs/models.md says how."
)
LLM_MODEL = "agents.providers.llm.LLMModel"
# At level DEBUG these write whole requests, prompts included; at INFO where each one went.
VERBOSE_LIBRARIES = (
    *("openai", "anthropic", "google_genai", "pydantic_ai"),
    *("httpx", "httpx2", "httpcore", "httpcore2"),
)


def demo_hint() -> str:
    """For the first page and the terminal: how to connect a model; empty where none is needed."""
    if DEMO not in configured_models().values():
        return ""
    return (
        "The demo model serves here: it quotes a brief and builds nothing, or plays the recording "
        f"of an example. {CONNECT}"
    )


def configured_models() -> dict[str, str]:
    """The model of each agent type: its own, else the settings'."""
    models = dict(settings.AGENT_MODELS)
    for role in agent_types:
        if model := getattr(role, "model", ""):
            models[role.agent_type] = model
        elif getattr(role, "is_own", False):
            models.setdefault(role.agent_type, settings.MODEL_DEFAULT)
    return models


def model_for(
    agent_type: str,
    model: str = "",
    endpoint_for: Callable[[str], Endpoint] | None = None,
) -> Model:
    """The model that the settings name, or this one. Raises PermanentError `model_misconfigured`.

    `endpoint_for` knows endpoints beside those of the settings.
    """
    model = model or configured_models().get(agent_type, "")
    if not model:
        raise _misconfigured("", f"AGENT_MODELS names no model for the agent {agent_type!r}.")
    if model == EXTERNAL:
        raise _misconfigured("", f"The agent {agent_type!r} is served by a worker elsewhere.")
    prefix, colon, name = model.partition(":")
    own = getattr(settings, "MODEL_PROVIDERS", OWN).get(prefix)
    if own:
        return _load(prefix, own, *([name] if name else []))
    if not (colon and name):
        detail = f"{model!r} is neither 'demo' nor of the form 'provider:model'."
        raise _misconfigured(prefix, detail)
    return _load(prefix, LLM_MODEL, model, options_of(agent_type), endpoint_for or endpoint_named)


def load_providers() -> None:
    """Import what the settings name, so that no call waits for that."""
    for agent_type, model in configured_models().items():
        if model == EXTERNAL:
            continue
        try:
            model_for(agent_type)
        except PermanentError as error:
            logger.warning("model not loaded", extra={"error": str(error)})


def _load(prefix: str, path: str, *arguments: Any) -> Model:
    try:
        provider = import_string(path)
    except ImportError as error:
        detail = f"The model provider {path!r} cannot be imported."
        raise _misconfigured(prefix, detail) from error
    return provider(*arguments)


def _misconfigured(prefix: str, detail: str) -> PermanentError:
    """With the provider's name, so that its health shows it."""
    return PermanentError("model_misconfigured", detail, Usage(prefix[:PROVIDER_LENGTH]))


def quiet_libraries() -> None:
    """Before each call, since some set their own level when they are imported."""
    for name in VERBOSE_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
