import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from core.log_fields import note
from core.metrics import SHORT_BUCKETS
from core.middleware import Answer, Around
from ops.logging.log_context import facts_of, method_of, route_of

REQUESTS = Counter(
    "paraph_http_requests", "Requests that were answered.", ["method", "route", "status"]
)
REQUEST_SECONDS = Histogram(
    "paraph_http_request_seconds",
    "Time to answer; of a stream, to its first byte.",
    ["method", "route"],
    buckets=SHORT_BUCKETS,
)


class MetricsMiddleware(Around):
    """Counts requests by the route that served them: a path could hold any id."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        began = time.monotonic()
        yield lambda response: count(request, response, began)


def count(request: HttpRequest, response: HttpResponse, began: float) -> None:
    method, route = method_of(request.method), route_of(request)
    note(**facts_of(request))
    REQUESTS.labels(method, route, str(response.status_code)).inc()
    REQUEST_SECONDS.labels(method, route).observe(time.monotonic() - began)
