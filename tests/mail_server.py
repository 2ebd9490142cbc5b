"""A real mail server, which keeps what it takes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller


class Server(Controller):
    """On a free port that nobody else takes in between."""

    def __init__(self, mailbox: "Mailbox") -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        host, port = self.socket.getsockname()
        super().__init__(mailbox, hostname=host, port=port, ready_timeout=60)

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.socket)


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0

    async def handle_DATA(self, server, session, envelope) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def newest_to(self, address: str) -> EmailMessage:
        return [mail for mail in self.mails if mail["To"] == address][-1]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    server = Server(mailbox)
    server.start()
    mailbox.port = server.port
    try:
        yield mailbox
    finally:
        server.stop()
