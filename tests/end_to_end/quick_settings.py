"""The product's settings, except that a lost worker is noticed, and a stopped one gone, sooner."""

import os

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import MODEL_PROVIDERS

TASK_LEASE_SECONDS = float(os.environ.get("LEASE_SECONDS", "2"))
TASK_HEARTBEAT_SECONDS = 0.5
REDELIVERY_SECONDS = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 0.5
MODEL_PROVIDERS = MODEL_PROVIDERS | {"stuck": "tests.end_to_end.stuck.StuckModel"}
