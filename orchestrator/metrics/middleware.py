import time
from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from api.metrics import SHORT_BUCKETS

REQUESTS = Counter(
    "countersign_http_requests", "Requests that were answered.", ["method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "countersign_http_request_seconds",
    "Time to answer; of a stream, to its first byte.",
    ["method", "route"],
    buckets=SHORT_BUCKETS,
)
# Anybody may invent methods, and each would be a series of its own.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


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
    method = request.method if request.method in METHODS else "other"
    route = route_of(request)
    REQUESTS.labels(method, route, str(response.status_code)).inc()
    REQUEST_SECONDS.labels(method, route).observe(time.monotonic() - began)
    return response


def route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.route if match else "none"
