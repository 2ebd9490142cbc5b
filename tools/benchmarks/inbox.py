"""The inbox, the lists and a decision, with many pending requests beside few in the same run."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from accounts.tokens import create_login_token
from hitl.models import HitlRequest
from tools.benchmarks.queue import Queue

FEW, MANY = 100, 10_000
REST = "/api/v1/hitl/requests/"
PAGES = {
    "inbox, first page": "/admin/",
    "inbox, one project": "/admin/?kind=result_approval",
    "inbox, search": "/admin/?q=findings",
    "count in the tab": "/admin/hitl/hitlrequest/waiting/",
    "REST list": f"{REST}?status=pending",
    "REST list, mine": f"{REST}?mine=true",
}


def report(options: argparse.Namespace) -> None:
    queue = Queue(projects=20)
    with override_settings(ALLOWED_HOSTS=["*"]):
        few = _measured(queue, FEW, options.samples)
        many = _measured(queue, MANY, options.samples)
    print(f"{'':28}{'queries':>14}{'p50, ms':>18}{'p95, ms':>18}{'p95 ratio':>11}")
    print(f"{'pending requests':28}{FEW:>7}{MANY:>7}{FEW:>9}{MANY:>9}{FEW:>9}{MANY:>9}")
    for name, (queries, times) in many.items():
        fewer, before = few[name]
        halves = f"{_ms(before, 50):>9.1f}{_ms(times, 50):>9.1f}"
        most = f"{_ms(before, 95):>9.1f}{_ms(times, 95):>9.1f}"
        ratio = _ms(times, 95) / _ms(before, 95)
        print(f"{name:28}{fewer:>7}{queries:>7}{halves}{most}{ratio:>11.1f}")


def _measured(queue: Queue, wanted: int, samples: int) -> dict[str, tuple[int, list[float]]]:
    """By what was asked: how many queries it took, and the seconds of each sample."""
    queue.fill(wanted)
    client = _client(queue)
    found = {
        name: _timed(lambda path=path: client.get(path), samples) for name, path in PAGES.items()
    }
    pending = _pending(samples)
    found["decision, REST"] = _timed(lambda: _decide(client, next(pending)), samples // 2)
    return found


def _client(queue: Queue) -> Client:
    client = Client(headers={"Authorization": f"Token {create_login_token(queue.person)}"})
    client.force_login(queue.person)
    return client


def _pending(number: int) -> Iterator[HitlRequest]:
    """Read before, so that only the decision is timed."""
    yield from list(HitlRequest.objects.pending().order_by("?")[:number])


def _decide(client: Client, request: HitlRequest) -> Any:
    said = {"action": "approve", "subject_digest": request.subject_digest}
    path = f"{REST}{request.pk}/decisions/"
    return client.post(path, said, content_type="application/json")


def _timed(ask: Callable[[], Any], samples: int) -> tuple[int, list[float]]:
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code in {200, 201}
    queries, times = len(captured), []
    for _ in range(samples):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return queries, times


def _ms(times: list[float], part: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[part - 1] * 1000
