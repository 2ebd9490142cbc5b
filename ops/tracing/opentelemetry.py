"""OpenTelemetry behind the seam. Imported only where TRACES is on.

The provider is ours alone and not the process's: a library that finds a global one may write of
itself what we would not, such as prompts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.tracing import Facts

FLUSH_MILLISECONDS = 2000
PROPAGATOR = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Exports as the OTEL_... variables say, in batches, from a thread of its own."""

    def __init__(self) -> None:
        self.provider = TracerProvider(resource=_resource())
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("paraph", settings.VERSION)

    def span(self, name: str, facts: Facts) -> Any:
        return self.begun_by({}, name, facts, SpanKind.INTERNAL)

    @contextmanager
    def begun_by(
        self, carrier: dict[str, str], name: str, facts: Facts, kind: SpanKind
    ) -> Iterator["Shown"]:
        """A span below the one that the carrier names; without, below the one at hand."""
        with self._tracer.start_as_current_span(
            name,
            context=PROPAGATOR.extract(carrier) if carrier else None,
            kind=kind,
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            shown = Shown(current)
            shown.add(facts)
            try:
                yield shown
            except BaseException as error:
                # Its text may hold what the span must not.
                shown.fail(_code_of(error))
                raise

    def flush(self) -> None:
        self.provider.force_flush(FLUSH_MILLISECONDS)


class Shown:
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def add(self, facts: Facts) -> None:
        self._span.set_attributes({k: v for k, v in facts.items() if v is not None})

    def fail(self, code: str) -> None:
        self._span.set_status(StatusCode.ERROR)
        self._span.set_attribute("error.type", code)


def carrier_of_this_span() -> dict[str, str]:
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier


def _code_of(error: BaseException) -> str:
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__name__


def _resource() -> Resource:
    ours = Resource({"service.name": "paraph", "service.version": settings.VERSION})
    named = OTELResourceDetector().detect()
    return Resource.create().merge(ours).merge(named)
