"""OpenTelemetry behind the seam of `core.tracing`. Imported only where TRACES is on.

The provider is not the process's global one: a library that finds a global provider may add spans
with contents, such as prompts. Our spans hold ids and names, never contents.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any

from celery import Task
from celery.signals import (
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_process_shutdown,
)
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.log_fields import current_log_fields
from core.middleware import Answer, Around
from core.tracing import Facts, trace_with
from ops.logging.log_context import method_of, route_of
from orchestrator.throttle import FREE

PROPAGATOR = TraceContextTextMapPropagator()
TRACE_HEADERS = ("traceparent", "tracestate")
FLUSH_MILLISECONDS = 2000
# It comes each second, and its trace would hold nothing else.
UNTRACED_JOBS = {"orchestrator.tasks.sweep"}


class Span:
    """As `core.tracing.Span`."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span
        self.has_failed = False

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def add(self, facts: Facts) -> None:
        self._span.set_attributes({key: value for key, value in facts.items() if value is not None})

    def fail(self, code: str) -> None:
        self.has_failed = True
        self._span.set_status(StatusCode.ERROR)
        self._span.set_attribute("error.type", code)


class OpenTelemetry:
    """Exports as the OTEL_... variables say, in batches, from a thread of its own."""

    def __init__(self) -> None:
        paraph = Resource({"service.name": "paraph", "service.version": settings.VERSION})
        from_variables = OTELResourceDetector().detect()
        resource = Resource.create().merge(paraph).merge(from_variables)
        self.provider = TracerProvider(resource=resource)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("paraph", settings.VERSION)

    def span(self, name: str, facts: Facts) -> AbstractContextManager[Span]:
        own_name = f"paraph.{name.replace(' ', '_')}"
        return self.continue_trace({}, own_name, facts, SpanKind.INTERNAL)

    def named_span(
        self, name: str, facts: Facts, *, is_client: bool
    ) -> AbstractContextManager[Span]:
        kind = SpanKind.CLIENT if is_client else SpanKind.INTERNAL
        return self.continue_trace({}, name, facts, kind)

    def traceparent(self) -> str:
        if not get_current_span().get_span_context().trace_flags.sampled:
            return ""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier)
        return carrier.get("traceparent", "")

    @contextmanager
    def continue_trace(
        self, carrier: dict[str, str], name: str, facts: Facts, kind: SpanKind
    ) -> Iterator[Span]:
        """A span below the one that the carrier names; without one, below the current span."""
        with self._tracer.start_as_current_span(
            name,
            context=PROPAGATOR.extract(carrier) if carrier else None,
            kind=kind,
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            span = Span(current)
            span.add(facts)
            try:
                yield span
            except BaseException as error:
                if span.has_failed:
                    raise
                # Not its message, which may quote contents.
                code = getattr(error, "code", None)
                span.fail(code if isinstance(code, str) else type(error).__name__)
                raise

    def trace_jobs(self) -> None:
        """A job continues the trace in which it was enqueued, by a header of its message."""

        def inject(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
            if headers is not None:
                PROPAGATOR.inject(headers)

        def begin(task: Task, task_id: str, **kwargs: Any) -> None:
            if task.name in UNTRACED_JOBS:
                return
            headers = {name: task.request.get(name) for name in TRACE_HEADERS}
            carrier = {name: text for name, text in headers.items() if isinstance(text, str)}
            facts = {
                "messaging.system": "celery",
                "messaging.operation.name": "process",
                "messaging.message.id": task_id,
                "paraph.request_id": current_log_fields().get("request_id"),
            }
            stack = ExitStack()
            span = self.continue_trace(carrier, f"job {task.name}", facts, SpanKind.CONSUMER)
            task.request.job_span = stack, stack.enter_context(span)

        def end(task: Task, state: str | None = None, **kwargs: Any) -> None:
            if not (entered := task.request.get("job_span")):
                return
            stack, span = entered
            task.request.job_span = None
            if state != "SUCCESS":
                span.fail(str(state).lower())
            stack.close()

        def flush(**kwargs: Any) -> None:
            self.provider.force_flush(FLUSH_MILLISECONDS)

        # Not weakly: nothing else refers to these functions.
        before_task_publish.connect(inject, weak=False)
        task_prerun.connect(begin, weak=False)
        task_postrun.connect(end, weak=False)
        worker_process_shutdown.connect(flush, weak=False)


@cache
def tracing() -> OpenTelemetry:
    """The one of this process, switched on at the first call."""
    telemetry = OpenTelemetry()
    trace_with(telemetry)
    telemetry.trace_jobs()
    return telemetry


class TracesMiddleware(Around):
    """A span for each request; of a stream, to its first byte. Probes and files have none."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        if request.path.startswith(FREE):
            yield lambda response: None
            return
        carrier = {name: text for name in TRACE_HEADERS if (text := request.headers.get(name))}
        method = method_of(request.method)
        with tracing().continue_trace(carrier, method, {}, SpanKind.SERVER) as span:
            yield lambda response: describe(span, method, request, response)


def describe(span: Span, method: str, request: HttpRequest, response: HttpResponse) -> None:
    """By its route: the path may hold ids and secrets."""
    route = route_of(request)
    span.name(f"{method} {route}")
    span.add(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": response.status_code,
            "paraph.request_id": response.headers.get("X-Request-ID"),
        }
    )
    if response.status_code >= 500:
        span.fail(str(response.status_code))
