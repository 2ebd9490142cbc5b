"""A port for the metrics of a process that serves no requests, such as a worker."""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings

from ops.metrics.exposition import CONTENT_TYPE, exposition, is_authorized


class QuietRequestHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each scrape would tell nobody anything."""


def serve_metrics(host: str, port: int) -> int:
    """In a thread. Returns the port; 0 takes a free one. Raises OSError where it is taken."""
    server = make_server(host, port, answer, handler_class=QuietRequestHandler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server.server_port


def answer(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    if environ["PATH_INFO"].rstrip("/") != "/metrics":
        start_response("404 Not Found", [])
        return [b""]
    if settings.METRICS_TOKEN and not is_authorized(environ.get("HTTP_AUTHORIZATION", "")):
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Bearer realm="metrics"')])
        return [b""]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
    return [exposition()]


def serve_where_asked() -> None:
    """METRICS_LISTEN, `host:port`; nowhere if it is empty."""
    if settings.METRICS_LISTEN:
        host, _, port = settings.METRICS_LISTEN.rpartition(":")
        serve_metrics(host.strip("[]"), int(port))
