"""The product's settings with less patience, to see what it does at the end of it."""

import importlib
import os

globals().update(vars(importlib.import_module(os.environ["PRODUCT_SETTINGS"])))

STREAM_LIMITS = {
    "init_seconds": 2,
    "heartbeat_seconds": 0.5,
    "pong_seconds": 2,
    "recheck_seconds": 1,
    "stalled_seconds": 1,
    "max_subscriptions": 2,
    "max_connections": 3,
    "frames_burst": 20,
    "frames_per_second": 1,
}

INSTALLED_APPS = [*globals()["INSTALLED_APPS"], "tests.audit.apps.InboxConfig"]
