"""The product's settings, with a model that answers at once."""

import os

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import AGENT_TYPES, CHANNEL_LAYERS, INSTALLED_APPS, MODEL_PROVIDERS

INSTALLED_APPS = [*INSTALLED_APPS, "tools.benchmarks"]
MODEL_PROVIDERS = MODEL_PROVIDERS | {
    "instant": "tools.benchmarks.instant.InstantModel",
    "endless": "tools.benchmarks.endless.EndlessModel",
}
AGENT_MODELS = dict.fromkeys(AGENT_TYPES, os.environ.get("BENCH_MODEL", "instant"))
LOG_LEVEL = "WARNING"
# One person of the benchmark asks for everything.
PROJECTS_PER_USER = RUNNING_PROJECTS_PER_USER = OPEN_TASKS_PER_USER = 0
if _layer := os.environ.get("BENCH_CHANNEL_LAYER"):
    CHANNEL_LAYERS["default"]["BACKEND"] = _layer
    # One of them waits for 5 s in Redis, as long as the Redis client has patience.
    CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["socket_timeout"] = 20
if _counts := os.environ.get("BENCH_COUNTS"):
    from tools.benchmarks import statement_counter

    statement_counter.install(_counts)
