"""Which model serves which agent. Importing this loads no provider library: a job does that."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from agents.outcomes import Model, PermanentError

OFFLINE = {"offline": "agents.providers.offline.OfflineModel"}
LLM_MODEL = "agents.providers.llm.LLMModel"


def model_for(agent_type: str) -> Model:
    """The model that the settings name. Raises PermanentError `model_misconfigured`."""
    chosen = getattr(settings, "AGENT_MODELS", {}).get(agent_type)
    if not chosen:
        raise _misconfigured(f"AGENT_MODELS names no model for the agent {agent_type!r}.")
    prefix, colon, name = chosen.partition(":")
    own = getattr(settings, "MODEL_PROVIDERS", OFFLINE).get(prefix)
    if own:
        return _loaded(own, *([name] if name else []))
    if not (colon and name):
        raise _misconfigured(f"{chosen!r} is neither 'offline' nor of the form 'provider:model'.")
    return _loaded(LLM_MODEL, chosen)


def _loaded(path: str, *arguments: Any) -> Model:
    try:
        provider = import_string(path)
    except ImportError as error:
        raise _misconfigured(f"The model provider {path!r} cannot be imported.") from error
    return provider(*arguments)


def _misconfigured(detail: str) -> PermanentError:
    return PermanentError("model_misconfigured", detail)
