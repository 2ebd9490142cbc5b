import time
from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from api.log_fields import note
from api.metrics import SHORT_BUCKETS
from orchestrator.request_facts import facts_of, method_of, route_of

REQUESTS = Counter(
    "countersign_http_requests", "Requests that were answered.", ["method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "countersign_http_request_seconds",
    "Time to answer; of a stream, to its first byte.",
    ["method", "route"],
    buckets=SHORT_BUCKETS,
)


class MetricsMiddleware:
    """Counts requests by the route that served them: a path could hold any id."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if iscoroutinefunction(self):
            return self.call_async(request)
        began = time.monotonic()
        return count(request, self.get_response(request), began)

    async def call_async(self, request: HttpRequest) -> HttpResponse:
        began = time.monotonic()
        return count(request, await self.get_response(request), began)


def count(request: HttpRequest, response: HttpResponse, began: float) -> HttpResponse:
    method, route = method_of(request.method), route_of(request)
    note(**facts_of(request))
    REQUESTS.labels(method, route, str(response.status_code)).inc()
    REQUEST_SECONDS.labels(method, route).observe(time.monotonic() - began)
    return response
