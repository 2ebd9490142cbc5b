"""The web server's socket."""

import argparse
import socket

from orchestrator.server import open_listener


def test_an_answer_is_sent_without_waiting_for_acknowledgements():
    options = argparse.Namespace(fd=None, host="127.0.0.1", port=0)
    with open_listener(options) as listener:
        with socket.create_connection(listener.getsockname()):
            connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
