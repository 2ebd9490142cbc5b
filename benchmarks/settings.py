"""The product's settings, with a model that answers at once."""

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import AGENT_TYPES, INSTALLED_APPS, MODEL_PROVIDERS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks"]
MODEL_PROVIDERS = MODEL_PROVIDERS | {"instant": "benchmarks.instant.InstantModel"}
AGENT_MODELS = dict.fromkeys(AGENT_TYPES, "instant")
LOG_LEVEL = "WARNING"
