from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse
from opentelemetry.trace import SpanKind

from core.middleware import Answer, Around
from ops.logging.log_context import method_of, route_of
from ops.tracing.opentelemetry import Shown
from ops.tracing.switch import tracing
from orchestrator.throttle import FREE

CARRIED = ("traceparent", "tracestate")


class TracesMiddleware(Around):
    """A span for each request; of a stream, to its first byte. Probes and files have none."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        if request.path.startswith(FREE):
            yield lambda response: None
            return
        sent = {name: v for name in CARRIED if (v := request.headers.get(name))}
        span = tracing().begun_by(sent, method_of(request.method), {}, SpanKind.SERVER)
        with span as shown:
            yield lambda response: say(shown, request, response)


def say(shown: Shown, request: HttpRequest, response: HttpResponse) -> None:
    """By its route: the path may hold ids and secrets."""
    method, route = method_of(request.method), route_of(request)
    shown.name(f"{method} {route}")
    shown.add(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": response.status_code,
            "paraph.request_id": response.headers.get("X-Request-ID"),
        }
    )
    if response.status_code >= 500:
        shown.fail(str(response.status_code))
