"""Clients that begin and do not go on, and pages of others that use a person's cookie."""

import asyncio
from unittest.mock import patch

import pytest

from audit.stream import authentication
from audit.stream.authentication import credentials_of
from orchestrator import http_protocol
from tests.orchestrator.test_server import HEAD, answer, serve

# "No end" in the negative control is told from "an end" by this.
PATIENCE_SECONDS = 3


async def is_closed(begun: bytes) -> bool:
    async with await serve(answer) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(begun)
        try:
            await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        except TimeoutError:
            return False
        finally:
            writer.close()
        return True


@pytest.mark.parametrize("begun", [HEAD, HEAD + b"\r\nhalf a body"], ids=["head", "body"])
def test_a_thousand_half_requests_do_not_stay(monkeypatch, begun):
    monkeypatch.setattr(http_protocol, "HALF_OPEN_SECONDS", 0.1)
    assert asyncio.run(is_closed(begun))

    monkeypatch.setattr(http_protocol.HttpProtocol, "_watch", lambda self, received: None)
    assert not asyncio.run(is_closed(begun)), "without the check it stays"


def test_a_page_that_was_served_in_the_clear_has_no_use_of_the_cookie():
    """Somebody in between writes a page for http://, which opens a socket to https://."""
    headers = [(b"host", b"localhost"), (b"cookie", b"sessionid=x")]
    scope = {"scheme": "wss", "headers": [*headers, (b"origin", b"http://localhost")]}

    assert credentials_of(scope).is_foreign

    with patch.object(authentication, "scheme_in", return_value="http"):
        assert not credentials_of(scope).is_foreign, "without the check it passes"
