"""The metrics of this machine as text, and who may read them."""

import ipaddress
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import psutil
from django.conf import settings
from django.http import HttpRequest
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
PROXY_HEADERS = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via")
# They would be one more series for each counter, which nobody uses.
disable_created_metrics()


def exposition(collectors: Iterable[Collector] = ()) -> bytes:
    """The counters of all processes of this machine, and what the collectors add."""
    added = CollectorRegistry()
    for collector in collectors:
        added.register(collector)
    processes = REGISTRY
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        # Counters of an ended process stay; its gauges (open connections, say) end with it.
        for file in Path(folder).glob("gauge_live*_*.db"):
            pid = int(file.stem.rpartition("_")[2])
            if not psutil.pid_exists(pid):
                mark_process_dead(pid, folder)
        processes = CollectorRegistry()
        MultiProcessCollector(processes, folder)
    return generate_latest(processes) + generate_latest(added)


def is_authorized(authorization: str) -> bool:
    """By METRICS_TOKEN as a bearer token."""
    scheme, _, token = authorization.partition(" ")
    expected = settings.METRICS_TOKEN.encode()
    return scheme.lower() == "bearer" and secrets.compare_digest(token.strip().encode(), expected)


def is_local(request: HttpRequest) -> bool:
    """From this machine and not forwarded by a proxy, whose own address says nothing."""
    if settings.BEHIND_TLS_PROXY or any(name in request.headers for name in PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
