from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from opentelemetry.trace import SpanKind

from orchestrator.request_facts import method_of, route_of
from orchestrator.throttling import FREE
from orchestrator.traces.opentelemetry import Shown
from orchestrator.traces.switch import tracing


class TracesMiddleware:
    """A span for each request; of a stream, to its first byte. Probes and files have none."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if iscoroutinefunction(self):
            return self.call_async(request)
        if request.path.startswith(FREE):
            return self.get_response(request)
        with span_of(request) as shown:
            return said(shown, request, self.get_response(request))

    async def call_async(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(FREE):
            return await self.get_response(request)
        with span_of(request) as shown:
            return said(shown, request, await self.get_response(request))


def span_of(request: HttpRequest):
    sent = {k: v for k in ("traceparent", "tracestate") if (v := request.headers.get(k))}
    return tracing().begun_by(sent, method_of(request.method), {}, SpanKind.SERVER)


def said(shown: Shown, request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """By its route: the path may hold ids and secrets."""
    method, route = method_of(request.method), route_of(request)
    shown.name(f"{method} {route}")
    shown.add(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": response.status_code,
            "countersign.request_id": response.headers.get("X-Request-ID"),
        }
    )
    if response.status_code >= 500:
        shown.fail(str(response.status_code))
    return response
