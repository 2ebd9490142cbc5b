"""A tiny receiver of OTLP over HTTP, and of Phoenix's annotations."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Span(NamedTuple):
    name: str
    trace: str
    id: str
    parent: str
    facts: dict[str, Any]
    service: str
    has_failed: bool


class Receiver:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.raw = b""
        self.annotations: list[dict[str, Any]] = []
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                own.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    def take(self, path: str, body: bytes) -> None:
        self.raw += body
        if path.startswith("/v1/span_annotations"):
            self.annotations += json.loads(body)["data"]
            return
        assert path == "/v1/traces"
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = plain(sent.resource.attributes)["service.name"]
            self.spans += [
                Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    plain(span.attributes),
                    service,
                    span.status.code == 2,
                )
                for scope in sent.scope_spans
                for span in scope.spans
            ]

    def of_trace(self, trace: str, name: str) -> list[Span]:
        return [one for one in self.spans if one.trace == trace and one.name == name]

    def way_up(self, span: Span) -> list[str]:
        """The names from a span to its trace's root."""
        by_id = {one.id: one for one in self.spans}
        names = [span.name]
        while span.parent in by_id:
            span = by_id[span.parent]
            names.append(span.name)
        return names


def plain(attributes: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value"))
        for one in attributes
        if one.value.WhichOneof("value")
    }


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join(20)
