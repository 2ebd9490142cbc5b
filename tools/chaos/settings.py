"""The product's settings, with a model that answers at once, and with faults allowed."""

import os

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import AGENT_TYPES, INSTALLED_APPS, MODEL_PROVIDERS

INSTALLED_APPS = [*INSTALLED_APPS, "tools.chaos.apps.ChaosConfig"]
MODEL_PROVIDERS = MODEL_PROVIDERS | {"chaos": "tools.chaos.model.ChaosModel"}
AGENT_MODELS = dict.fromkeys(AGENT_TYPES, "chaos")
FAILPOINTS_ALLOWED = True
# A lost worker is noticed sooner, so that many cases fit into the time; one case has the product's.
if os.environ.get("CHAOS_TIMES") != "product":
    TASK_LEASE_SECONDS = 5
    TASK_HEARTBEAT_SECONDS = 1.5
    REDELIVERY_SECONDS = 2
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
