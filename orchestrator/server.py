"""The web server, `python -m orchestrator.server`: uvicorn, configured for this application.

`daphne orchestrator.asgi:application` works, too; docs/adr/0042 says what is then missing.
"""

import argparse
import gc
import logging
import signal
import socket
import sys

import uvicorn

from orchestrator.http_protocol import HttpProtocol

APPLICATION = "orchestrator.asgi:application"
# How long requests that are being answered may take when the server is asked to stop.
FINISH_SECONDS = 5
# Longer than proxies keep an idle connection, so that none uses one that is being closed.
KEEP_ALIVE_SECONDS = 180
# Our protocol allows 64 KiB and has an error code for it; larger frames are not even read.
MAX_FRAME_BYTES = 2**20
# Longer than the stream's own limit for a client that does not read.
UNREAD_SECONDS = 120

logger = logging.getLogger(__name__)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one")
    parser.add_argument("--fd", type=int, help="a listening socket that is already open")
    parser.add_argument(
        "--proxy-headers", action="store_true", help="believe X-Forwarded-For and -Proto"
    )
    parser.add_argument("--application", default=APPLICATION)
    options = parser.parse_args()
    config = uvicorn.Config(
        options.application,
        proxy_headers=options.proxy_headers,
        forwarded_allow_ips="*",
        # The product configures logging, and writes a line a request without its query.
        log_config=None,
        access_log=False,
        server_header=False,
        # By name: `auto` would take whatever else happens to be installed.
        loop="asyncio",
        http=HttpProtocol,
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME_BYTES,
        ws_ping_interval=20,
        ws_ping_timeout=30,
        # It would take a quarter of a megabyte per connection.
        ws_per_message_deflate=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    # Loads the settings, and with them the logging.
    config.load()
    # Of what is loaded by now nothing is garbage.
    gc.freeze()
    listener = open_listener(options)
    logger.info("listening on http://%s:%s", *listener.getsockname()[:2])
    # uvicorn raises the signal that stopped it again at the end: an orderly exit, with its hooks.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    uvicorn.Server(config).run(sockets=[listener])


def open_listener(options: argparse.Namespace) -> socket.socket:
    if options.fd is not None:
        listener = socket.socket(fileno=options.fd)
    else:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=2048)
    # Connections inherit what is set here. Head and body of an answer are sent one after the other:
    # by TCP's default the body would wait until the client has acknowledged the head, some 40 ms.
    # asyncio sets this, but not for sockets that were opened without the number of the protocol.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # One whose client no longer reads ends by itself.
        milliseconds = UNREAD_SECONDS * 1000
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listener


if __name__ == "__main__":
    main()
