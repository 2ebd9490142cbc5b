"""A receiver that notes what it gets, and notifications that look now, not every three seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network

import pytest

from notifications.cursor import read_logs
from notifications.delivery import send_all

LOOPBACK = [ip_network("127.0.0.0/8")]


class Receiver:
    """Answers `status`, with the headers in `answer`."""

    def __init__(self) -> None:
        self.status, self.answer, self.body = 204, {}, b""
        self.paths: list[str] = []
        self.messages: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.paths.append(self.path)
                receiver.messages.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.answer.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.messages]


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOWED_NETWORKS = LOOPBACK
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def tell() -> Callable[[], int]:
    """One round, as the schedule runs it; however slow the machine is, it is not cut short."""

    def round() -> int:
        read_logs(seconds=600)
        return send_all(time.monotonic() + 600)

    return round
